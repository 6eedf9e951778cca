// Which session gives way when another model needs its memory. Pure.

export interface Resident {
  bytes: number;
  /** Belongs to a model with several sessions. */
  extra: boolean;
  /** Its model has work waiting or running. */
  busy: boolean;
  lastUsedAt: number;
  loadedAt: number;
}

/** A busy model keeps its last session at least this long, so that two that don't fit together take turns instead of thrashing. */
export const minResidencyMs = 10_000;

/**
 * The sessions to end so that at least `bytes` become free, least harm first: second sessions, then idle models, then busy
 * ones that had their time; least recently used first in each. Empty when ending all of these would not do.
 */
export function chooseVictims<T extends Resident>(residents: T[], { bytes, now }: { bytes: number; now: number }): T[] {
  const harm = ({ extra, busy }: Resident) => (busy ? (extra ? 2 : 3) : extra ? 0 : 1);
  const candidates = residents
    .filter(resident => resident.extra || !resident.busy || now - resident.loadedAt >= minResidencyMs)
    .toSorted((a, b) => harm(a) - harm(b) || a.lastUsedAt - b.lastUsedAt);
  const victims: T[] = [];
  let free = 0;
  for (const candidate of candidates) {
    if (free >= bytes) break;
    victims.push(candidate);
    free += candidate.bytes;
  }
  return free >= bytes ? victims : [];
}
