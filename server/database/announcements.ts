// Who is told in this process when something in the database has changed that processes keep in memory.

/** What may be remembered outside of the database: accounts, keys and sessions with what they may do, and the plans. */
export type Topic = 'callers' | 'plans';

export interface Announcements {
  on(topic: Topic, listener: () => void): void;
  /** Without a topic all are told, since nobody knows what was missed. */
  dispatch(topic?: string): void;
}

export function createAnnouncements(): Announcements {
  const listeners: { topic: Topic; listener: () => void }[] = [];
  return {
    on: (topic, listener) => void listeners.push({ topic, listener }),
    dispatch(topic) {
      for (const each of listeners) if (topic === undefined || topic === each.topic) each.listener();
    },
  };
}
