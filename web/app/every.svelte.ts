/** Loads anew by the clock, while somebody can see it. */

/** For as long as the component is there. */
export function every(ms: number, reload: () => void): void {
  $effect(() => {
    const timer = setInterval(() => !document.hidden && reload(), ms);
    return () => clearInterval(timer);
  });
}
