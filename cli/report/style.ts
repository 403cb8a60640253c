/** The page's style sheet. Colours are safe for colour-blind readers, and every one of them has words beside it. */
export const STYLE = `
:root { --ink: #1b2733; --soft: #5d6b78; --line: #dfe5ea; --paper: #fff; --ground: #f4f6f8; --blue: #2f6fa7; --good: #2c8a5a; --warn: #c98a00; --bad: #c2402f; --was: #e4edf5; color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e3e9ef; --soft: #9aa8b5; --line: #33404c; --paper: #1a232c; --ground: #11181f; --blue: #5b9bd1; --good: #35996a; --warn: #b87f08; --bad: #d8594a; --was: #263a4c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
header, main, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; }
h1 { font-size: 28px; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 0 0 4px; }
h3 { font-size: 13px; font-weight: 600; color: var(--soft); margin: 18px 0 6px; }
header p, footer p, small, .lead { color: var(--soft); }
header p { margin: 4px 0 20px; }
p { margin: 6px 0; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 24px; margin: 0 0 18px; }
.tiles { display: grid; grid-template-columns: repeat(6, 1fr); gap: 12px; padding: 0; background: none; border: 0; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tile h3 { margin: 0; }
.tile b { display: block; font-size: 24px; font-weight: 650; line-height: 1.35; white-space: nowrap; }
.tile small { display: block; line-height: 1.3; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-size: 12px; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--line); padding: 4px 10px 4px 0; white-space: nowrap; }
td { border-bottom: 1px solid var(--line); padding: 6px 10px 6px 0; vertical-align: middle; }
tr:last-child td { border-bottom: 0; }
.n + td:not(.n), .n + th:not(.n) { padding-left: 14px; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { width: 34%; padding-right: 0; }
.id { font-weight: 600; overflow-wrap: anywhere; }
svg { display: block; width: 100%; }
svg text { font-size: 12px; fill: var(--soft); }
.grid { stroke: var(--line); } .mark { stroke: var(--soft); stroke-dasharray: 4 4; }
rect.bar, rect.full, .meter i { fill: var(--blue); background: var(--blue); } rect.warn { fill: var(--warn); } rect.bad { fill: var(--bad); }
rect.none { fill: var(--bad); } rect.part { fill: var(--warn); }
.band { fill: var(--was); } .was, .is { fill: none; stroke-width: 1.4; stroke: var(--soft); } .is { stroke: var(--bad); stroke-width: 1.8; }
.spark { height: 46px; max-width: 330px; margin-left: auto; }
.meter { display: block; height: 10px; background: var(--ground); border-radius: 5px; overflow: hidden; } .meter i { display: block; height: 100%; }
.badge { display: inline-block; padding: 0 8px; border-radius: 9px; font-size: 12px; font-weight: 600; color: #fff; white-space: nowrap; }
.badge.good { background: var(--good); } .badge.warn { background: var(--warn); } .badge.bad { background: var(--bad); } .badge.few { background: #8a97a3; }
.keys { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; } .key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; }
.s0 { fill: #9cc3e0; background: #9cc3e0; } .s1 { fill: #e8c15a; background: #e8c15a; } .s2 { fill: #dd7d3e; background: #dd7d3e; } .s3 { fill: #b3262a; background: #b3262a; }
.a0 { fill: #2c8a5a; background: #2c8a5a; } .a1 { fill: #6fb386; background: #6fb386; } .a2 { fill: #b5d6a9; background: #b5d6a9; } .a3 { fill: #f0d98c; background: #f0d98c; }
.a4 { fill: #e3a04c; background: #e3a04c; } .a5 { fill: #d0663f; background: #d0663f; } .a6 { fill: #8f2430; background: #8f2430; }
footer { padding-bottom: 40px; font-size: 13px; }
@media (max-width: 760px) { td:has(.id) { min-width: 9rem; } .tiles { grid-template-columns: repeat(2, 1fr); } section { padding: 16px; overflow-x: auto; } section > svg { min-width: 860px; } header, main, footer { padding-left: 12px; padding-right: 12px; } }
@media print { body { background: #fff; font-size: 12px; } section, .tile { break-inside: avoid; } header, main, footer { max-width: none; padding: 0; } }
`;
