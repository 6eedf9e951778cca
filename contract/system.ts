// The routes about the server itself: health, metrics, probes and the reference.
import { z } from 'zod';
import { defineRoute } from './route.ts';

const open = { auth: 'none', family: 'none', dialect: 'native', method: 'GET', tag: 'Server', errors: [] } as const;
const operators = {
  auth: 'admin',
  family: 'read',
  dialect: 'native',
  method: 'GET',
  tag: 'Server',
  errors: [],
} as const;

const getHealth = defineRoute({
  ...operators,
  id: 'getHealth',
  path: '/health',
  summary: 'Health of the server and its machine',
  answer: z.looseObject({
    status: z.string(),
    uptime_seconds: z.number(),
    system: z.object({ cpu_percent: z.number(), memory_percent: z.number(), disk_percent: z.number() }),
    models_loaded: z.int(),
    last_model_load: z.iso.datetime().nullable().meta({ description: 'null before the first.' }),
  }),
});

const getMetrics = defineRoute({
  ...operators,
  id: 'getMetrics',
  path: '/metrics',
  summary: 'Requests and latencies',
  description: 'JSON as documented; Prometheus text where `Accept` asks for it.',
  answer: z.looseObject({
    requests: z.object({ total: z.int(), last_24h: z.int(), average_response_time_ms: z.number() }),
    models: z.record(z.string(), z.object({ requests: z.int(), avg_latency_ms: z.number() })),
    system: z.object({ cpu_cores: z.number(), memory_total_gb: z.number(), memory_available_gb: z.number() }),
  }),
  alternatives: { 'text/plain': 'Prometheus exposition format 0.0.4.' },
});

const livez = defineRoute({
  ...open,
  id: 'livez',
  path: '/livez',
  summary: 'Whether the process answers',
  answer: z.object({ status: z.literal('ok') }),
});

const readyz = defineRoute({
  ...open,
  id: 'readyz',
  path: '/readyz',
  summary: 'Whether the server can take requests; 503 while it cannot',
  description: 'Shows models that are being pulled or loaded, with their progress.',
  answer: z.looseObject({ status: z.enum(['ready', 'starting', 'closing', 'unavailable']) }),
});

const getOpenApi = defineRoute({
  ...open,
  id: 'getOpenApi',
  path: '/openapi.json',
  summary: 'This document',
  answer: z.record(z.string(), z.unknown()),
});

const getDocs = defineRoute({
  ...open,
  id: 'getDocs',
  path: '/docs',
  summary: 'The reference as a page',
  contentType: 'text/html',
  answer: z.string(),
});

export const systemRoutes = { getHealth, getMetrics, livez, readyz, getOpenApi, getDocs };
