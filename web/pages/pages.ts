/** Each page is loaded when it is gone to: a browser that shows alerts has no need of what draws charts. */
import type { Component } from "svelte";
import type { Page } from "../../formats/console-routes.ts";

/** What a page shows, where it shows one thing; each page takes the kind of id that its path has. */
interface Props {
  readonly id?: bigint | string;
}

const PAGES: Readonly<Record<Page["name"], () => Promise<{ readonly default: Component<never> }>>> = {
  overview: () => import("./Overview.svelte"),
  alerts: () => import("./Alerts.svelte"),
  alert: () => import("./Alert.svelte"),
  sensors: () => import("./Sensors.svelte"),
  sensor: () => import("./Sensor.svelte"),
  incidents: () => import("./Incidents.svelte"),
  incident: () => import("./Incident.svelte"),
  silences: () => import("./Silences.svelte"),
  "new-silence": () => import("./NewSilence.svelte"),
  maintenance: () => import("./Maintenance.svelte"),
  "new-maintenance": () => import("./NewMaintenance.svelte"),
  notifications: () => import("./Notifications.svelte"),
  administration: () => import("./Administration.svelte"),
  compare: () => import("./Compare.svelte"),
  reports: () => import("./Reports.svelte"),
  import: () => import("./Import.svelte"),
  start: () => import("./Start.svelte"),
  design: () => import("./Design.svelte"),
  "not-found": () => import("./NotFound.svelte"),
};

export function loadPage({ name }: Page): Promise<{ readonly default: Component<Props> }> {
  return PAGES[name]() as Promise<{ default: Component<Props> }>;
}
