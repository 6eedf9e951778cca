// What people get by mail, in the languages of the console.
import type { Mail } from '../mail/index.ts';

type Language = 'en' | 'tr';

export function resetMail(to: { name: string; email: string; language: string }, link: string): Mail {
  const texts = {
    en: {
      subject: 'Choose a new password',
      text: `Hello ${to.name},\n\nby this link you choose a new password for Vectorium. It is good for an hour:\n\n${link}\n\nIf you didn't ask for it, nothing needs to be done.\n`,
    },
    tr: {
      subject: 'Yeni bir parola belirleyin',
      text: `Merhaba ${to.name},\n\nVectorium için yeni bir parola belirlemek üzere bu bağlantıyı kullanın. Bağlantı bir saat geçerlidir:\n\n${link}\n\nBunu siz istemediyseniz bir şey yapmanız gerekmez.\n`,
    },
  };
  return { to: to.email, ...texts[languageOf(to.language)] };
}

export function confirmationMail(to: { name: string; email: string; language: string }, link: string): Mail {
  const texts = {
    en: {
      subject: 'Confirm your e-mail address',
      text: `Hello ${to.name},\n\nby this link you confirm that ${to.email} is your address at Vectorium. It is good for a day:\n\n${link}\n\nIf you don't know what this is about, nothing needs to be done.\n`,
    },
    tr: {
      subject: 'E-posta adresinizi doğrulayın',
      text: `Merhaba ${to.name},\n\n${to.email} adresinin Vectorium'daki adresiniz olduğunu bu bağlantıyla doğrulayın. Bağlantı bir gün geçerlidir:\n\n${link}\n\nBunun ne olduğunu bilmiyorsanız bir şey yapmanız gerekmez.\n`,
    },
  };
  return { to: to.email, ...texts[languageOf(to.language)] };
}

/** To the address of before, whose owner should know. */
export function movedMail(to: { email: string; language: string }, newEmail: string): Mail {
  const texts = {
    en: {
      subject: 'Your e-mail address was changed',
      text: `Your address at Vectorium is ${newEmail} from now on.\n\nIf that wasn't you, tell whoever operates the server at once.\n`,
    },
    tr: {
      subject: 'E-posta adresiniz değiştirildi',
      text: `Vectorium'daki adresiniz artık ${newEmail}.\n\nBunu siz yapmadıysanız hemen sunucuyu işletenlere bildirin.\n`,
    },
  };
  return { to: to.email, ...texts[languageOf(to.language)] };
}

export function invitationMail({
  email,
  account: named,
  by: inviter,
  link,
  language,
}: {
  email: string;
  /** Null: to sign up with an account of one's own. */
  account: string | null;
  by: string;
  link: string;
  language: string;
}): Mail {
  const account = named === null ? null : plain(named);
  const by = plain(inviter);
  const texts = {
    en: {
      subject: account === null ? 'You are invited to Vectorium' : `You are invited to ${account}`,
      text: `${by} invites you to ${account === null ? 'Vectorium' : `the account ${account} on Vectorium`}. The link is good for a week:\n\n${link}\n`,
    },
    tr: {
      subject: account === null ? 'Vectorium daveti' : `${account} hesabına davet`,
      text: `${by} sizi ${account === null ? "Vectorium'a" : `Vectorium'daki ${account} hesabına`} davet ediyor. Bağlantı bir hafta geçerlidir:\n\n${link}\n`,
    },
  };
  return { to: email, ...texts[languageOf(language)] };
}

/** A name that came from elsewhere than the console, such as an OpenID provider, is no text of its own either. */
function plain(name: string): string {
  return name.replaceAll(/[\p{Cc}\u2028\u2029]+|:\/\//gu, ' ');
}

function languageOf(language: string): Language {
  return language === 'tr' ? 'tr' : 'en';
}
