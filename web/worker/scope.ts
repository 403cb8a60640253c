/** What a service worker has and pages have not: the types of TypeScript for both exclude each other. */

interface Extendable extends Event {
  /** The worker is kept alive until then. */
  waitUntil(promise: Promise<unknown>): void;
}

export interface FetchEvent extends Extendable {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

export interface PushEvent extends Extendable {
  readonly data: { json(): unknown } | null;
}

export interface ClickEvent extends Extendable {
  /** "" where the notification itself was pressed. */
  readonly action: string;
  readonly notification: Notification;
}

export interface MessageToWorker extends Extendable {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
}

interface Page {
  readonly url: string;
  focus(): Promise<Page>;
  navigate(url: string): Promise<Page | null>;
}

export interface Shown extends NotificationOptions {
  readonly actions?: readonly { readonly action: string; readonly title: string }[];
  readonly renotify?: boolean;
  readonly timestamp?: number;
}

interface Events {
  readonly install: Extendable;
  readonly activate: Extendable;
  readonly fetch: FetchEvent;
  readonly push: PushEvent;
  readonly notificationclick: ClickEvent;
  readonly message: MessageToWorker;
}

export interface Scope {
  readonly registration: {
    showNotification(title: string, shown: Shown): Promise<void>;
    /** Those that are shown with this tag. */
    getNotifications(filter: { tag: string }): Promise<readonly Notification[]>;
  };
  readonly clients: {
    matchAll(options: { type: "window"; includeUncontrolled: true }): Promise<readonly Page[]>;
    openWindow(url: string): Promise<Page | null>;
  };
  readonly navigator: { setAppBadge?(count: number): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): void;
}

export const scope = globalThis as unknown as Scope;
