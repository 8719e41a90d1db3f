/** Layout and type of a page: one column that phones hold, tables and galleries that scroll or wrap in themselves. */
import { themed } from './chartStyles.js';

export const pageStyles = `*{box-sizing:border-box}
[hidden]{display:none!important}
html{scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI","Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
main,header.page,footer,nav.contents{max-width:54rem;margin:0 auto;padding:0 1rem}
header.page{padding-top:1.5rem}
h1{font-size:1.75rem;line-height:1.25;margin:.5rem 0 1rem}
h2{font-size:1.35rem;line-height:1.3;margin:3.5rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--faint)}
h3{font-size:1.05rem;margin:2rem 0 .5rem}
h1,h2,h3,p{text-wrap:pretty}
:lang(zh) :is(h1,h2,h3,dt,.legend,tbody th){word-break:keep-all;overflow-wrap:anywhere}
p{margin:.75rem 0;max-width:46rem}
a{color:var(--link)}
a:focus-visible,button:focus-visible,summary:focus-visible,input:focus-visible,select:focus-visible{outline:2px solid var(--tone-0);outline-offset:2px}
${themed('--link:#0b5cad;--good:#1a7f37;--bad:#c62828;', '--link:#7db8f0;--good:#56c271;--bad:#ff8a80;')}
.skip{position:absolute;left:-999rem;background:var(--paper);padding:.5rem 1rem;z-index:2}
.skip:focus{left:1rem;top:1rem}
.lead{font-size:1.15rem;line-height:1.55}
.lead strong{white-space:nowrap}
.note{font-size:.875rem;color:var(--muted)}
.bar{display:flex;justify-content:space-between;align-items:center;gap:1rem}
button.plain,.copy{font:inherit;font-size:.875rem;color:var(--ink);background:none;border:1px solid var(--muted);border-radius:.4rem;padding:.25rem .7rem;cursor:pointer}
nav.contents ol{columns:2;column-gap:1rem;padding-left:0;margin:.5rem 0 0;font-size:.95rem}
nav.contents li{margin-left:1.9rem}
nav.contents{margin-top:1.5rem}
@media (max-width:599px){nav.contents ol{columns:1}h1{font-size:1.45rem}h2{font-size:1.2rem;margin-top:2.5rem}}
dl.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8rem,1fr));gap:.75rem;margin:1.5rem 0}
dl.figures div{border:1px solid var(--faint);border-radius:.5rem;padding:.6rem .8rem}
dl.figures dt{font-size:.8rem;color:var(--muted);line-height:1.35}
dl.figures dt::first-letter,#table thead th::first-letter,section:not(#steps) figure.chart figcaption::first-letter{text-transform:uppercase}
dl.figures dd{margin:.15rem 0 0;font-size:1.35rem;font-weight:650;font-variant-numeric:tabular-nums}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.25rem;margin:1rem 0}
dl.facts dt{color:var(--muted)}
dl.facts dd{margin:0;overflow-wrap:anywhere}
@media (max-width:599px){dl.facts{grid-template-columns:1fr;gap:0}dl.facts dd{margin-bottom:.6rem}}
code,.command code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em;overflow-wrap:anywhere}
.command{display:flex;gap:.75rem;align-items:center;background:var(--shade-none);border-radius:.5rem;padding:.6rem .8rem;margin:1rem 0}
.command code{flex:1}
.copy:disabled{visibility:hidden}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.3rem .7rem;border-bottom:1px solid var(--faint)}
thead th{vertical-align:bottom}
th:first-child{text-align:left}
tbody th{font-weight:500}
.scroll tbody th{white-space:nowrap}
.scroll thead th{position:sticky;top:0;background:var(--paper)}
ul.gallery{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(7.4rem,1fr));gap:1rem;margin:1.25rem 0}
ul.gallery li{font-size:.8rem;line-height:1.4}
ul.gallery b{font-weight:400;white-space:nowrap}
ul.gallery img{width:100%;height:auto;max-width:9rem;image-rendering:pixelated;border-radius:.3rem;background:#000;display:block;margin-bottom:.35rem}
.right{color:var(--good)}.wrong{color:var(--bad)}
.filters{display:flex;flex-wrap:wrap;gap:1.25rem;list-style:none;padding:0;margin:1.25rem 0}
.filters svg{width:6.2rem;height:6.2rem;display:block;border:1px solid var(--faint)}
.filters li{font-size:.8rem;color:var(--muted)}
@media (max-width:599px){.filters{display:grid;grid-template-columns:repeat(3,1fr)}.filters svg{width:100%;height:auto}}
.scroll.matrix{max-height:none}
.matrix table{border-collapse:separate;border-spacing:2px;font-size:.8rem}
.matrix td{border:0;padding:0;width:2.9rem;height:2.2rem;text-align:center;border-radius:3px}
.matrix thead th{padding:.2rem 0;border:0;font-weight:500;position:static;text-align:center;background:none}
.matrix thead th span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap;display:inline-block}
.matrix tbody th{border:0;padding:0 .5rem 0 0;white-space:nowrap}
.matrix thead td{background:none;vertical-align:bottom;white-space:nowrap}
.matrix .note{font-size:inherit}
:lang(zh) .matrix thead th span{transform:none;text-orientation:upright}
@media (max-width:599px){.matrix td{width:1.55rem;min-width:1.55rem;height:1.7rem;font-size:.66rem}.scroll.matrix{max-height:none}
.matrix table{font-size:.7rem;border-spacing:1px}.matrix tbody th{padding-right:.25rem}}
.shade-none{background:var(--shade-none);color:var(--on-shade-none)}
${[0, 1, 2, 3, 4, 5, 6].map((n) => `.shade-${n}{background:var(--shade-${n});color:var(--on-shade-${n})}`).join('')}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:0 1.5rem}
.pair figure.chart{margin:.75rem 0;min-width:0}
.pair figure.chart figcaption{font-size:.9rem;margin:0}
.pair .summary{margin:0}
.pair .drawing .wide{display:none}.pair .drawing .narrow{display:block}.pair .canvas{height:var(--low-height)}
@media (max-width:599px){.pair{grid-template-columns:1fr}}
.controls{display:grid;grid-template-columns:1fr 1fr;gap:.5rem 1.5rem;border:1px solid var(--faint);border-radius:.5rem;padding:.8rem 1rem;background:var(--paper);margin:1rem 0}
.controls label{display:grid;grid-template-columns:1fr auto;font-size:.875rem;gap:0 .5rem}
.controls input[type=range]{grid-column:1/3;width:100%;accent-color:var(--tone-0);margin:.2rem 0}
.controls select{font:inherit;max-width:100%;color:var(--ink);background:var(--paper);border:1px solid var(--muted);border-radius:.4rem;padding:.2rem}
.controls .wide{grid-column:1/3;display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
.controls p{margin:0}
.controls output{font-variant-numeric:tabular-nums;font-weight:600}
@media (min-width:600px) and (min-height:700px){.controls{position:sticky;top:0;z-index:1}}
@media (max-width:599px){.controls{grid-template-columns:1fr}.controls .wide,.controls input[type=range]{grid-column:1/-1}}
footer{margin-top:3rem;padding-bottom:3rem;color:var(--muted);font-size:.875rem}
@media print{.bar button,.controls,.copy,nav.contents{display:none}}`;
