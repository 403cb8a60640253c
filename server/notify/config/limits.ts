/** Bounds of a notification file: what is past them is refused with a message that names the limit. */

/** Characters of a file: past any that people or tools write, and parsed within seconds. */
export const MAX_FILE_CHARACTERS = 524_288;
/** Problems that are reported at once: whoever mends a hundred checks the file again. */
export const MAX_PROBLEMS = 100;
/** Values that are read, an alias as often as it is used: aliases within aliases grow without end. */
export const MAX_VALUES = 200_000;
/** Routes above one another: each is a step for every alert. */
export const MAX_ROUTE_DEPTH = 20;
/** Routes of the tree: each may be tried for every alert. */
export const MAX_ROUTES = 5_000;
/** Labels of a route, with those that it has of the routes above. */
export const MAX_ROUTE_LABELS = 100;
/** Characters of a route's label, which is a part of each of its messages. */
export const MAX_ROUTE_LABEL = 4_096;
/** Instructions of all regular expressions together: a usual one has some twenty, and so many are compiled in about a second. */
export const MAX_INSTRUCTIONS = 200_000;
/** Receivers: one for each person of a large organisation. */
export const MAX_RECEIVERS = 5_000;
/** Channels of a receiver: each alert is a message to every one of them. */
export const MAX_CHANNELS = 100;
/** Rules of inhibition: each is tried for every alert. */
export const MAX_INHIBIT_RULES = 1_000;
/** Time intervals with a name: each may be looked at for every message. */
export const MAX_TIME_INTERVALS = 1_000;
/** Schedules and escalations: each open alert is in a group for every receiver of its escalation. */
export const MAX_SCHEDULES = 200;
/** Receivers that an escalation may tell, those of its schedules included. */
export const MAX_ESCALATED = 50;
/** Of lists without a limit of their own: matchers of a route, labels of a group, ranges of an interval, headers of a message. */
export const MAX_LIST = 100;
/** Characters of a name: of receivers, time intervals, labels. */
export const MAX_NAME = 200;
/** Characters of any other text: addresses, regular expressions, passwords. */
export const MAX_TEXT = 4_096;
/** Characters of a template that stands in the file itself. */
export const MAX_TEMPLATE = 65_536;
/** Characters of a line that a template makes: channels have limits of their own. */
export const MAX_LINE = 1_024;
/** Milliseconds, a hundred years: what is longer is a mistake in the unit. */
export const MAX_DURATION_MS = 3_155_760_000_000;
/** Milliseconds that a receiver may take for one message: who is slower than five minutes is sent it again. */
export const MAX_TIMEOUT_MS = 300_000;
/** Milliseconds, where a webhook has no `timeout` of its own. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Milliseconds after which an alert of another program that names no end is over, where the file has no `resolve_timeout`. */
export const DEFAULT_RESOLVE_TIMEOUT_MS = 300_000;
/** Milliseconds after which a message that is not taken is given up, and the most that `give_up_after` may be: older, it helps nobody. */
export const DEFAULT_GIVE_UP_MS = 86_400_000;
/** The same where a receiver has a fallback, and has no `give_up_after`: an outage that is over by then is nobody else's concern. */
export const DEFAULT_GIVE_UP_WITH_FALLBACK_MS = 300_000;
/** The most that `max_messages_per_minute` may be: beyond it, no receiver keeps up. */
export const MAX_MESSAGES_PER_MINUTE = 10_000;
