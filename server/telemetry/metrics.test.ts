import { expect, test } from 'vitest';
import { Metrics } from './metrics.ts';

test('the text is what Prometheus reads: help, type, escaped labels, cumulative buckets', () => {
  const metrics = new Metrics();
  const requests = metrics.counter('requests_total', 'Requests answered.');
  requests.add({ route: '/vectorize', status: '200' });
  requests.add({ route: '/vectorize', status: '200' }, 2);
  requests.add({ route: 'a"b\\c\nd', status: '500' });
  const latency = metrics.histogram('latency_seconds', 'Time to answer.', [0.1, 1]);
  for (const seconds of [0.05, 0.1, 0.5, 3]) latency.observe({ route: '/models' }, seconds);
  metrics.observed('queue_tokens', 'Tokens that wait.', 'gauge', () => [[{}, 7]]);
  expect(metrics.text()).toBe(`# HELP requests_total Requests answered.
# TYPE requests_total counter
requests_total{route="/vectorize",status="200"} 3
requests_total{route="a\\"b\\\\c\\nd",status="500"} 1
# HELP latency_seconds Time to answer.
# TYPE latency_seconds histogram
latency_seconds_bucket{route="/models",le="0.1"} 2
latency_seconds_bucket{route="/models",le="1"} 3
latency_seconds_bucket{route="/models",le="+Inf"} 4
latency_seconds_sum{route="/models"} 3.65
latency_seconds_count{route="/models"} 4
# HELP queue_tokens Tokens that wait.
# TYPE queue_tokens gauge
queue_tokens 7
`);
});
