// The door of mail.
export { type Mail, type Mailer, createMailer } from './mail.ts';
