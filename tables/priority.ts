// The priority of processes that do jobs: below the server's, whose callers wait.
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/** Of this process, for the processor and, on Linux, for memory. */
export function lowerPriority(): void {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    // When the machine runs out of memory, a job shall end and not the server.
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // There is no such file on other systems.
  }
}
