/** Colors and layout of the charts; the palette is told apart by the color-blind, and has 3:1 on its paper. */

const LIGHT = `--paper:#ffffff;--ink:#1f2328;--muted:#59636e;--faint:#d8dee4;
--tone-0:#0072b2;--tone-1:#c2500a;--tone-2:#00805c;--tone-3:#a8518a;--tone-4:#8a6d00;--tone-5:#59636e;
--shade-none:#f0f2f4;--on-shade-none:#59636e;
--shade-0:#eaf3fb;--shade-1:#c9e0f2;--shade-2:#9dc8e6;--shade-3:#69a9d6;--shade-4:#2473aa;--shade-5:#135f97;--shade-6:#0a4172;
--on-shade-0:#1f2328;--on-shade-1:#1f2328;--on-shade-2:#1f2328;--on-shade-3:#1f2328;--on-shade-4:#ffffff;--on-shade-5:#ffffff;--on-shade-6:#ffffff;`;

const DARK = `--paper:#0d1117;--ink:#e6edf3;--muted:#9aa5b1;--faint:#30363d;
--tone-0:#56b4e9;--tone-1:#ff9052;--tone-2:#2fc796;--tone-3:#e39bc9;--tone-4:#e3c03c;--tone-5:#9aa5b1;
--shade-none:#1c2128;--on-shade-none:#9aa5b1;
--shade-0:#12263a;--shade-1:#163a5c;--shade-2:#1b5283;--shade-3:#2a77b5;--shade-4:#5fa6dc;--shade-5:#97caee;--shade-6:#d3eafb;
--on-shade-0:#e6edf3;--on-shade-1:#e6edf3;--on-shade-2:#e6edf3;--on-shade-3:#ffffff;--on-shade-4:#0d1117;--on-shade-5:#0d1117;--on-shade-6:#0d1117;`;

const TONES = [0, 1, 2, 3, 4, 5].map((tone) => `.tone-${tone}{background:var(--tone-${tone})}`).join('');

/** Variables for light and dark, as the reader's system has it or as the page's button says. */
export function themed(light: string, dark: string): string {
  return `:root{${light}}
@media (prefers-color-scheme:dark){:root:not([data-theme=light]){${dark}}}
:root[data-theme=dark]{${dark}}`;
}

export const chartStyles = `${themed(`color-scheme:light dark;${LIGHT}`, DARK)}
:root[data-theme=dark]{color-scheme:dark}
:root[data-theme=light]{color-scheme:light}
figure.chart{margin:1.5rem 0}
figure.chart figcaption{text-wrap:pretty;font-weight:600;margin-bottom:.5rem}
.drawing svg{display:block;width:100%;height:auto;fill:var(--muted)}
.drawing .canvas svg{width:auto}
.drawing svg text{font-size:12px;font-family:system-ui,sans-serif;dominant-baseline:central}
.drawing .narrow{display:none}
.canvas{height:var(--height)}
@media (max-width:599px){.drawing .narrow{display:block}.drawing .wide{display:none}.canvas{height:var(--low-height)}}
.drawing:focus-visible,.scroll:focus-visible{outline:2px solid var(--tone-0);outline-offset:2px}
.swatch{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em}
${TONES}
.legend{display:flex;flex-wrap:wrap;gap:.4rem;margin-bottom:.5rem}
.legend button{font:inherit;font-size:.875rem;color:var(--ink);text-align:start;background:none;border:1px solid var(--muted);border-radius:1rem;padding:.2rem .7rem;cursor:pointer}
.legend button:disabled{cursor:default;border-color:transparent;padding-left:0}
.legend button[aria-pressed=false]{color:var(--muted);text-decoration:line-through}
.legend button[aria-pressed=false] .swatch{opacity:.25}
.scroll{overflow-x:auto;max-height:24rem;overflow-y:auto}
figure.chart details{font-size:.875rem;margin-top:.5rem}
figure.chart summary{cursor:pointer;color:var(--muted)}`;
