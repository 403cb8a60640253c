/** A picture for people, with the words that belong to it. */
export interface Picture {
  readonly png: Uint8Array;
  /** What it shows, in a sentence, for whoever does not see it. */
  readonly summary: string;
  /** Ends of its axes, with unit. */
  readonly top: string;
  readonly bottom: string;
  readonly from: string;
  readonly to: string;
  readonly hasBand: boolean;
}

export interface PictureOptions {
  /** Pixels; absent: the usual ones. */
  readonly width?: number;
  /** For how long it is worth waiting for; absent: as long as for any. */
  readonly withinMs?: number;
}
