/** What a message tells of alerts, as `server/notify/push/payload.ts` makes it. */
export interface Told {
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  readonly severity: string;
  readonly page: string;
  readonly alerts: readonly string[];
  readonly received: readonly string[];
}
