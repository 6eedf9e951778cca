import { adamW, concat, input, split, toOnnx, scalar, type Tensor } from '@vectorium/tensor';
import { InferenceSession, Tensor as T } from 'onnxruntime-node';
const W = Number(process.argv[2] ?? 1024),
  N = 3;
function graph(blockRows: number) {
  const names = Array.from({ length: N }, (_, i) => `w${i}`);
  const outs: Record<string, Tensor> = {};
  const feeds: Record<string, number[]> = {};
  const inp = (n: string, s: number[]) => {
    feeds[n] = s;
    return input(n, s);
  };
  const set = { rate: 1e-3, scale: inp('scale', []), weightDecay: 0.01 };
  for (const n of names) {
    const g = inp(`g.${n}`, [W, W]),
      w = inp(`w.${n}`, [W, W]);
    const k = W / blockRows;
    const parts = (x: Tensor) => (k === 1 ? [x] : split(x, 0, Array(k).fill(blockRows)));
    const [gs, ws] = [parts(g), parts(w)];
    const news: Tensor[] = [];
    for (let b = 0; b < k; b++) {
      const st = {
        step: scalar(5),
        sum: { a: inp(`m.${n}.${b}`, [blockRows, W]) },
        squares: { a: inp(`v.${n}.${b}`, [blockRows, W]) },
      };
      const r = adamW({ parameters: { a: ws[b]! }, gradients: { a: gs[b]! }, state: st }, set);
      news.push(r.parameters.a);
      outs[`m.${n}.${b}.n`] = r.state.sum.a;
      outs[`v.${n}.${b}.n`] = r.state.squares.a;
    }
    outs[`w.${n}.n`] = k === 1 ? news[0]! : concat(news, 0);
  }
  return { bytes: toOnnx(outs), feeds };
}
const runs: Record<string, () => Promise<unknown>> = {};
for (const rows of [W, W / 2, W / 4, W / 8, W / 16]) {
  const { bytes, feeds } = graph(rows);
  const s = await InferenceSession.create(bytes, { intraOpNumThreads: 2 });
  const f = Object.fromEntries(
    Object.entries(feeds)
      .filter(([n]) => s.inputNames.includes(n))
      .map(([n, shape]) => [
        n,
        new T(
          'float32',
          Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.random()),
          shape,
        ),
      ]),
  );
  const fetches = Object.fromEntries(
    s.outputNames.map(n => {
      const of = n.slice(0, -2);
      return [n, f[of] ? new T('float32', new Float32Array(f[of].size), [...f[of].dims]) : null];
    }),
  );
  runs[rows] = () => s.run(f, fetches as any);
}
const t: Record<string, number[]> = {};
for (let r = 0; r < 15; r++)
  for (const [k, f] of Object.entries(runs)) {
    await f();
    for (let i = 0; i < 3; i++) {
      const a = performance.now();
      await f();
      (t[k] ??= []).push(performance.now() - a);
    }
  }
for (const [k, v] of Object.entries(t)) {
  v.sort((a, b) => a - b);
  console.log(W, 'block rows', k, 'least', v[0]!.toFixed(2), 'median', v[v.length >> 1]!.toFixed(2));
}
