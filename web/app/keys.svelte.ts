/** Keyboard shortcuts of the page that is shown. Never while somebody types, and never with a modifier: those are the browser's. */

export interface Shortcut {
  /** As KeyboardEvent.key has it. */
  readonly key: string;
  readonly what: string;
  readonly run: () => void;
}

class Keys {
  /** Of the page, for the help. */
  page = $state.raw<readonly Shortcut[]>([]);
  helpShown = $state(false);
}

export const keys = new Keys();

/** For as long as the component is there. */
export function shortcuts(list: readonly Shortcut[]): void {
  $effect(() => {
    keys.page = list;
    return () => {
      if (keys.page === list) keys.page = [];
    };
  });
}

export function onKey(event: KeyboardEvent, general: readonly Shortcut[]): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector("dialog[open]") !== null) return;
  const found = [...keys.page, ...general].find(({ key }) => key === event.key);
  if (found === undefined) return;
  event.preventDefault();
  found.run();
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target instanceof HTMLInputElement && !["checkbox", "radio", "button"].includes(target.type);
}
