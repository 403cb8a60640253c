/** What programs without a running platform use of notifications: a file's configuration, its routes, and when they are muted. */
export { channelText } from "./config/channel-text.ts";
export type { ChannelConfig, NotifyConfig, ReceiverConfig, Route, Secret } from "./config/config.ts";
export { parseNotifyConfig } from "./config/parse.ts";
export type { Problem } from "./config/problem.ts";
export { templateGlobs } from "./config/template-globs.ts";
export { type Muted, mutedBy } from "./intervals.ts";
export { groupText, routesOf } from "./route.ts";
export { MAX_TEMPLATE_FILES } from "./templates/limits.ts";
export type { TemplateFile } from "./templates/template.ts";
