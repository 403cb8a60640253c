import type { Logger } from "../observe/logger.ts";
import type { CommitNotice } from "./messages.ts";

/** A subscriber in this process to every commit of its partitions. */
export interface CommitSubscriber {
  /** For the log line about a subscriber that fails. */
  readonly name: string;
  committed(notice: CommitNotice): void;
}

/**
 * Calls the subscribers of a commit, one after the other in the order given: those that somebody waits for come first. A commit is
 * published once it is in the store, so a subscriber that throws changes nothing of it and keeps no other from hearing.
 */
export class CommitPublisher {
  readonly #subscribers: readonly CommitSubscriber[];
  readonly #logger: Logger;

  constructor(subscribers: readonly CommitSubscriber[], logger: Logger) {
    this.#subscribers = subscribers;
    this.#logger = logger;
  }

  publish(notice: CommitNotice): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber.committed(notice);
      } catch (error) {
        const { partition, nextOffset } = notice;
        this.#logger.error(
          { err: error, subscriber: subscriber.name, partition, nextOffset },
          "a subscriber failed on a commit",
        );
      }
    }
  }
}
