// Telemetry: what the server measures of itself, and the routes that show it.
export { type TelemetryParts, mountTelemetryRoutes } from './routes.ts';
export { type Telemetry, createTelemetry } from './telemetry.ts';
