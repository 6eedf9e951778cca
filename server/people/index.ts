// The door of people: who signs in, to which accounts they belong, and the routes about it.
export { type OidcSettings } from './auth.ts';
export { invitationMail } from './mails.ts';
export { createPeople, type People, signUpModes, type SignUpMode } from './people.ts';
export { keepPeopleRetention } from './retention.ts';
export { mountPeopleRoutes, shownInvitation } from './routes.ts';
