// Puts the chosen theme on the page before anything is drawn, so that no page flashes in the other one.
try {
  const { theme, language } = JSON.parse(localStorage.getItem('vectorium') ?? '{}');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  if (typeof language === 'string') document.documentElement.lang = language;
} catch {
  // Storage may be closed to us; then the system's theme it is.
}
