export const folder: string;
export const STAMP: string;
export function wantedStamp(): string;
export function ensureConsole(): void;
