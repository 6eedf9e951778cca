// Turkish: signing in and up.
import type en from '../en/sign-in.ts';
import type { Translation } from '../index.ts';

export default {
  signInTitle: 'Oturum açın',
  signInAction: 'Oturum aç',
  signInWith: '{name} ile sürdür',
  or: 'ya da',
  email: 'E-posta',
  password: 'Parola',
  passwordHint: 'En az 10 karakter. Bir cümle akılda kolay kalır.',
  newPassword: 'Yeni parola',
  name: 'Adınız',
  forgot: 'Parolanızı mı unuttunuz?',
  noAccount: 'Yeni misiniz?',
  signUpLink: 'Hesap oluşturun',
  haveAccount: 'Kaydınız var mı?',
  signInLink: 'Oturum açın',
  wrongCredentials: 'E-posta ile parola birbirine uymuyor. İkisini de denetleyin ya da yeni parola isteyin.',
  tooManyTries: 'Çok fazla deneme. {seconds} saniye bekleyip yeniden deneyin.',

  providerFailed: 'Sağlayıcı üzerinden oturum açılamadı. Yeniden deneyin ya da parolanızı kullanın.',

  signUpTitle: 'Hesap oluşturun',
  signUpAbout:
    'Metinden vektöre, dosyadan veri kümesine, veri kümesinden modele. Hepsini denemeniz için kredi verilir.',
  signUpAction: 'Hesabı oluştur',
  signUpInvitationOnly: 'Bu sunucu yeni kişileri yalnızca davetle alır. İşletmecisinden davet isteyin.',
  signUpClosed: 'Bu sunucu şu anda yeni kişi almıyor.',

  resetTitle: 'Parolanızı sıfırlayın',
  resetAbout: 'Kayıt olduğunuz adresi yazın.',
  resetAction: 'Bağlantıyı gönder',
  resetSent: '{email} burada kayıtlıysa yeni parola seçme bağlantısı yola çıktı. Bağlantı bir saat geçerlidir.',
  resetNoMail: 'Bu sunucu e-posta göndermiyor: bağlantıyı işletmecisinden isteyin.',
  chooseTitle: 'Yeni parola seçin',
  chooseAction: 'Parolayı kaydet',
  chosen: 'Yeni parolanız ayarlandı. Onunla oturum açın.',
  backToSignIn: 'Oturum açmaya dön',

  inviteTitle: 'Davet edildiniz',
  inviteAccount: '{account} hesabına {role} olarak katılın.',
  inviteOwn: 'Bu sunucuda bir hesap oluşturun.',
  inviteAdministrator: 'Bu sunucunun yöneticisi olun.',
  inviteAccept: '{account} hesabına katıl',
  inviteKnown: 'Kabul etmek için {email} olarak oturum açın.',
  inviteOther: '{email} olarak oturum açtınız ama davet {invited} için. Önce oturumu kapatın.',
  inviteMissing: 'Adresin son bölümü eksik. Davetteki bağlantının tamamını açın.',
  inviteBroken: 'Bu davet kullanılmış, geri alınmış ya da çok eski. Yenisini isteyin.',
  joined: '{account} hesabına katıldınız',
  confirmTitle: 'E-posta adresiniz',
  confirmed: '{email} onaylandı.',
  confirmBroken: 'Bu bağlantı artık çalışmıyor.',
  confirmMissing: 'Adresin son bölümü eksik. E-postadaki bağlantının tamamını açın.',
  confirmOn: 'Konsola geç',
} satisfies Translation<typeof en>;
