// The door of people: who signs in, to which accounts they belong, and the routes about it.
export { type OidcSettings } from './auth.ts';
export { createPeople, type People, signUpModes, type SignUpMode } from './people.ts';
export { mountPeopleRoutes } from './routes.ts';
