// Joins identical requests that are in flight: they are computed once, charged once and all get the answer.
//
// Both official clients give up after 30 s and send the same request again. Without this, the second would start over
// behind the first, be charged again, and time out as well. The rules:
// 1. Requests of the same key, route, options and texts, in flight at the same time, are one piece of work.
// 2. It is charged once, when it is done and at least one caller is still there to get the answer.
// 3. A caller who leaves takes nothing from the others. When the last one leaves, the work is stopped and not charged,
// 4. except that a caller who leaves late looks like a client's time-out: the work goes on for a while, so that the retry
//    finds it further on or done. Nobody comes back: stopped and not charged.
import { setTimeout as timer } from 'node:timers';

/** Something computed that still has to be paid for. Exactly one of the two is called. */
export interface Work<Result> {
  result: Result;
  settle(): Promise<void>;
  release(): void;
}

export interface Request {
  /** Key, route and options: everything but the texts. */
  fingerprint: string;
  /** Compared one by one, which costs less than a hash of megabytes. */
  texts: readonly string[];
}

interface Piece<Result> {
  request: Request;
  startedAt: number;
  waiting: number;
  work: Promise<Work<Result>>;
  settled: Promise<void> | null;
  stop: AbortController;
  grace: NodeJS.Timeout | undefined;
}

/** A caller who leaves after this long has probably run into its own time-out. */
const TIMEOUT_LIKE_MS = 20_000;
/** How long the work goes on for such a caller's retry: the clients wait 1, 2, then 4 seconds. */
const GRACE_MS = 15_000;

export class InFlight<Result> {
  private readonly pieces = new Map<string, Piece<Result>[]>();
  private readonly timeoutLikeMs: number;
  private readonly graceMs: number;

  constructor({ timeoutLikeMs = TIMEOUT_LIKE_MS, graceMs = GRACE_MS } = {}) {
    this.timeoutLikeMs = timeoutLikeMs;
    this.graceMs = graceMs;
  }

  /**
   * The result of `start`, or of the identical request that is under way already; settled when it resolves.
   * Rejects with the signal's reason when this caller leaves, and with the work's error for every caller.
   */
  async run(
    request: Request,
    signal: AbortSignal,
    start: (signal: AbortSignal) => Promise<Work<Result>>,
  ): Promise<Result> {
    signal.throwIfAborted();
    const piece = this.find(request) ?? this.begin(request, start);
    clearTimeout(piece.grace);
    piece.waiting++;
    try {
      const work = await Promise.race([piece.work, rejectOn(signal)]);
      piece.settled ??= work.settle().finally(() => this.forget(piece));
      await piece.settled;
      return work.result;
    } finally {
      piece.waiting--;
      if (piece.waiting === 0 && piece.settled === null) this.left(piece);
    }
  }

  private find(request: Request): Piece<Result> | undefined {
    return this.pieces.get(request.fingerprint)?.find(piece => sameTexts(piece.request.texts, request.texts));
  }

  private begin(request: Request, start: (signal: AbortSignal) => Promise<Work<Result>>): Piece<Result> {
    const stop = new AbortController();
    const work = start(stop.signal);
    const piece: Piece<Result> = {
      request,
      startedAt: performance.now(),
      waiting: 0,
      work,
      settled: null,
      stop,
      grace: undefined,
    };
    const others = this.pieces.get(request.fingerprint);
    if (others) others.push(piece);
    else this.pieces.set(request.fingerprint, [piece]);
    work.catch(() => this.forget(piece));
    return piece;
  }

  private left(piece: Piece<Result>): void {
    if (performance.now() - piece.startedAt < this.timeoutLikeMs) return this.stop(piece);
    piece.grace = timer(() => this.stop(piece), this.graceMs);
    piece.grace.unref();
  }

  private stop(piece: Piece<Result>): void {
    this.forget(piece);
    piece.stop.abort(new DOMException('The caller has left', 'AbortError'));
    // When the work had been finished just before, it is given back; when it fails by being stopped, nobody is there to be told.
    piece.work.then(
      work => work.release(),
      () => {},
    );
  }

  private forget(piece: Piece<Result>): void {
    clearTimeout(piece.grace);
    const others = this.pieces.get(piece.request.fingerprint)?.filter(other => other !== piece) ?? [];
    if (others.length > 0) this.pieces.set(piece.request.fingerprint, others);
    else this.pieces.delete(piece.request.fingerprint);
  }
}

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((text, index) => text === other[index]);
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
