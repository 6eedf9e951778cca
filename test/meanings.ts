// Four statements, each in several languages: what the demo and the README's picture show.

/** The same four statements in several languages: translations must lie closer than anything else. */
export const meanings = {
  cat: [
    'The cat is sleeping on the sofa.',
    'Kedi kanepede uyuyor.',
    'Die Katze schläft auf dem Sofa.',
    '猫がソファーで寝ている。',
  ],
  bank: [
    'The central bank raised interest rates.',
    'Merkez bankası faiz oranlarını artırdı.',
    'رفع البنك المركزي أسعار الفائدة.',
  ],
  bread: [
    'How do I bake bread at home?',
    'Evde nasıl ekmek yapabilirim?',
    'Wie backe ich zu Hause Brot?',
    '¿Cómo hago pan en casa?',
  ],
  rain: [
    'Heavy rain flooded the streets last night.',
    'Dün gece şiddetli yağmur sokakları su altında bıraktı.',
    'Прошлой ночью сильный дождь затопил улицы.',
  ],
};
