/** The user's broker, for those who need no more of it. */
export interface Broker {
  /** For people, without credentials. */
  readonly address: string;
  /** Rejects with the reason while nothing comes from it. */
  readonly ping: () => Promise<void>;
  /** Begins to take messages; what the broker does from then on stops nothing. */
  readonly start: () => void;
}
