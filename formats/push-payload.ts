/** What a browser is sent of alerts, as JSON: made by the platform, shown by the console's service worker. */
export interface PushPayload {
  /** The same in every repetition of the message. */
  readonly id: string;
  /** A later notification with this tag stands in the place of an earlier one. */
  readonly tag: string;
  readonly title: string;
  readonly body: string;
  /** "low" … "critical", "resolved", or "". */
  readonly severity: string;
  /** Below /ui/. */
  readonly page: string;
  /** Where it says what to do; absent: nowhere, or there was no room. */
  readonly runbook?: string;
  /** Ids of open alerts that one press acknowledges, and of those that other programs sent. */
  readonly alerts: readonly string[];
  readonly received: readonly string[];
}
