/** Layout of what only a study's page has: verdicts, which phones show as cards, and the grid of trainings. */

export const studyStyles = `.badge{display:inline-block;white-space:nowrap;font-weight:650;border-radius:1rem;padding:.05rem .7rem;border:1px solid currentColor}
.badge.holds{color:var(--good)}.badge.fails{color:var(--bad)}.badge.open{color:var(--muted)}
.small{font-size:.8rem;color:var(--muted)}
table.cards{width:100%}
table.cards th,table.cards td{text-align:left;vertical-align:top;padding:.6rem .9rem .6rem 0}
table.cards thead th{word-break:keep-all}
table.cards tbody th{min-width:9rem;font-weight:600}
@media (min-width:800px){table.cards td:has(.small){min-width:11rem}}
@media (max-width:799px){table.cards,table.cards tbody,table.cards tr,table.cards th,table.cards td{display:block}
table.cards thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
table.cards tr{border:1px solid var(--faint);border-radius:.5rem;padding:.6rem .9rem;margin-bottom:.75rem}
table.cards th,table.cards td{border:0;padding:.15rem 0!important}
table.cards td{display:grid;grid-template-columns:6.5rem 1fr;gap:.5rem}
table.cards td::before{content:attr(data-head);color:var(--muted);font-size:.8rem}}
.numbers .scroll{max-height:none}
.numbers th,.numbers td{text-align:left;vertical-align:top}
.numbers tbody th{white-space:normal}
.numbers th:first-child{padding-left:0}
@media (min-width:600px){.numbers td{white-space:nowrap}}
.scroll td:first-child,.scroll tbody th{text-align:left}
.explorer{max-height:none}
.explorer td{padding:2px;border:0}
.explorer td button{font:inherit;width:100%;min-width:5rem;min-height:2.2rem;border:2px solid transparent;border-radius:.35rem;cursor:pointer}
@media (max-width:599px){.explorer th{padding:.3rem .35rem}.explorer td button{min-width:3rem}}
.explorer td button:disabled{cursor:default}
.explorer td button[aria-pressed=true]{border-color:var(--ink);box-shadow:inset 0 0 0 2px var(--paper)}`;
