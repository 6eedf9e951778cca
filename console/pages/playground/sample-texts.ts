// Texts to try with. They are content and stay in their own languages, whatever the console's is.

export const article = `The octopus is a mollusc with eight arms and no bones at all. Because nothing in its body is hard except a small beak, an animal the size of a football can slip through a gap no wider than a coin. Most of its half a billion neurons are not in the head but in the arms, and each arm can taste, touch and decide for itself how to bend around a shell.

Octopuses are short-lived. A female lays tens of thousands of eggs, guards and fans them for weeks without eating, and dies when they hatch. The young drift with the plankton until they are large enough to settle on the sea floor, where they live alone, each in a den that it often builds from stones and shells.

They learn quickly. In laboratories they have opened jars, told people apart, and put out lamps that annoyed them by squirting water at the switch. Their skin holds thousands of tiny elastic bags of pigment; muscles pull them open within a fraction of a second, so that the animal takes on the colour and even the texture of a rock. Why an animal that cannot see colours matches them so well is still being studied.`;

export const turkish = `Çay, Türkiye'de günün her saatinde içilir. İnce belli bardakta, tavşan kanı renginde sunulur; yanına iki küp şeker konur. Doğu Karadeniz'in yamaçlarında yetişen yaprak, 1938'den beri Rize'de toplanıp işlenir. Kahve ise daha eski bir konuktur: on altıncı yüzyılda Yemen'den gelmiş, İstanbul'un kahvehanelerinde sohbetin adı olmuştur. Bir fincan kahvenin kırk yıl hatırı vardır, derler.`;

export const mixed = `The train to the coast leaves at seven in the morning. Der Zug an die Küste fährt um sieben Uhr morgens ab. Sahile giden tren sabah yedide kalkar. Bring an umbrella, because rain is expected in the afternoon. Nimm einen Regenschirm mit, denn am Nachmittag soll es regnen. Öğleden sonra yağmur beklendiği için yanına şemsiye al.`;

export const sentences = [
  'My parcel has not arrived yet.',
  'Kargom hâlâ gelmedi.',
  'How do I reset my password?',
  'Şifremi nasıl sıfırlarım?',
  'The coffee here is excellent.',
];

export const headlines = [
  ['Space', 'Probe lands on the far side of the Moon'],
  ['Space', 'Telescope finds water in the air of a distant planet'],
  ['Space', 'Rocket with two astronauts docks at the station'],
  ['Space', 'Meteor shower will be brightest on Thursday night'],
  ['Space', 'Scientists hear a signal from a neutron star'],
  ['Space', 'Rover drills into an ancient river bed on Mars'],
  ['Space', 'New images show storms on Jupiter'],
  ['Space', 'Solar flare disturbs radio over the Pacific'],
  ['Football', 'Goalkeeper saves three penalties in the final'],
  ['Football', 'Striker moves to the champions for a record fee'],
  ['Football', 'Coach resigns after the fifth defeat in a row'],
  ['Football', 'Late goal sends the home team to the semi-final'],
  ['Football', 'Referee shows four red cards in the derby'],
  ['Football', 'Youth team wins the cup for the third time'],
  ['Football', 'Stadium to be enlarged before the next season'],
  ['Football', 'Captain out for six weeks with a torn muscle'],
  ['Cooking', 'How to bake sourdough bread without a scale'],
  ['Cooking', 'A soup of lentils and lemon for cold evenings'],
  ['Cooking', 'Why your rice sticks to the pot'],
  ['Cooking', 'Five ways to use up ripe tomatoes'],
  ['Cooking', 'The secret of crisp fried potatoes'],
  ['Cooking', 'Grandmother’s recipe for stuffed vine leaves'],
  ['Cooking', 'Knives: which three you really need'],
  ['Cooking', 'Chocolate cake from only four ingredients'],
  ['Money', 'Central bank raises interest rates again'],
  ['Money', 'Shares fall after weak figures from chip makers'],
  ['Money', 'Inflation lower than expected in March'],
  ['Money', 'Two banks plan to merge by the end of the year'],
  ['Money', 'Oil price climbs to its highest level since spring'],
  ['Money', 'Start-up for batteries collects forty million'],
  ['Money', 'What a weak currency means for travellers'],
  ['Money', 'Pension fund invests in wind parks'],
  ['Health', 'Vaccine against malaria protects most children'],
  ['Health', 'Half an hour of walking a day lowers blood pressure'],
  ['Health', 'Hospital treats patients by video call'],
  ['Health', 'Study links poor sleep to forgetfulness'],
  ['Health', 'Nurses ask for shorter shifts'],
  ['Health', 'Flu season begins earlier than usual'],
  ['Health', 'Surgeons transplant a kidney with a robot'],
  ['Health', 'New test finds cancer in a drop of blood'],
].map(([group = '', text = '']) => `${group}\t${text}`);
