// Names of columns: none is blank, and no two are the same but for case (SQL could not tell them apart).

/** Gives every column a name of its own, and says what was changed. */
export function uniqueNames(raw: readonly (string | null)[]): { names: string[]; notes: string[] } {
  const wanted = raw.map((name, index) => name?.replaceAll('\0', '').trim() || `column${index + 1}`);
  const taken = new Set<string>();
  // A name that stands in the file as it is goes to its first column, before others are numbered.
  const first = new Set<number>();
  wanted.forEach((name, index) => {
    const key = name.toLowerCase();
    if (taken.has(key)) return;
    taken.add(key);
    first.add(index);
  });
  const notes: string[] = [];
  const names = wanted.map((name, index) => {
    let unique = name;
    for (let number = 2; !first.has(index) && taken.has(unique.toLowerCase()); number++) unique = `${name}_${number}`;
    taken.add(unique.toLowerCase());
    if (unique !== raw[index])
      notes.push(
        `Column ${index + 1} is named ${JSON.stringify(unique)} instead of ${JSON.stringify(raw[index] ?? '')}`,
      );
    return unique;
  });
  return { names, notes: notes.length > 20 ? [...notes.slice(0, 20), `and ${notes.length - 20} more columns`] : notes };
}
