/** Bounds of browsers that are notified of alerts. */

/** Browsers of one caller. With `AUTH=off` all people are one caller. */
export const MAX_BROWSERS_OF_CALLER = 50;

/** Browsers of all callers: each message is encrypted and posted once for every one of them. */
export const MAX_BROWSERS = 500;

/** Days that a browser is notified of alerts after the console was last open in it. */
export const BROWSER_DAYS = 30;

/** Browsers that are notified at once; the others follow. */
export const BROWSERS_AT_ONCE = 20;

/** Bytes of a message to a browser. Push services take 4,096 with what the encryption adds, and some fewer. */
export const MAX_PUSH_BYTES = 3_000;

/** Alerts that one press acknowledges. A notification about more of them only opens the console. */
export const MAX_ACKNOWLEDGED_BY_PUSH = 10;

/** Milliseconds that a push service keeps a message for a browser that is not reachable, where the receiver has no `ttl`. */
export const DEFAULT_PUSH_TTL_MS = 14_400_000;

/** The most that `ttl` may be, which is what push services keep to. */
export const MAX_PUSH_TTL_MS = 2_419_200_000;
