/** The service worker: the console without the platform, and notifications while it is closed. Built into /ui/sw.js. */
import { pressed, show } from "./notification.ts";
import { scope } from "./scope.ts";
import { Shell } from "./shell.ts";

/** Put in by the build: another for other files. */
declare const VERSION: string;
declare const FILES: readonly string[];

const shell = new Shell(VERSION, FILES);

scope.addEventListener("install", (event) => event.waitUntil(shell.install()));
scope.addEventListener("activate", (event) => event.waitUntil(shell.forgetOld()));
scope.addEventListener("fetch", (event) => {
  const answer = shell.answer(event.request);
  if (answer !== undefined) event.respondWith(answer);
});
// Asked by `web/app/installed.svelte.ts`.
scope.addEventListener("message", ({ data, ports: [port] }) => {
  const said = data as { readonly kind?: string; readonly path?: string };
  if (said.kind === "has") port?.postMessage(shell.has(said.path ?? ""));
  if (said.kind === "take over") void scope.skipWaiting();
});
scope.addEventListener("push", (event) => event.waitUntil(show(event.data)));
scope.addEventListener("notificationclick", (event) => event.waitUntil(pressed(event.action, event.notification)));
