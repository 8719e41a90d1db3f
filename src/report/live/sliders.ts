/** In the page: sliders for μ, σ, γ and β that redraw a channel's histograms as they are moved. */

/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import { panelsOf, type Passage, type Passing, type Setting, type Standard } from './passage.js';

const NAMES = ['mean', 'deviation', 'gamma', 'beta'] as const;

/** Makes the section below `root` live, if there is one. */
export function liveSliders(root: ParentNode): void {
  const section = root.querySelector<HTMLElement>('#steps');
  const controls = section?.querySelector<HTMLElement>('.controls');
  const source = controls?.querySelector('script')?.textContent;
  const select = controls?.querySelector('select');
  if (!section || !controls || !source || !select) return;
  const { channels, texts } = JSON.parse(source) as Passage;
  const sliders = NAMES.map((name) => controls.querySelector<HTMLInputElement>(`input[name=${name}]`));
  const outputs = NAMES.map((name) => controls.querySelector(`output[name=${name}]`));
  const figures = [...section.querySelectorAll('figure.chart')];
  const summaries = [...section.querySelectorAll('.summary')];
  let channel = channels[0];

  const draw = () => {
    if (!channel) return;
    const values = sliders.map((slider) => Number(slider?.value));
    for (const [i, output] of outputs.entries()) if (output) output.textContent = (values[i] ?? 0).toFixed(2);
    const setting = Object.fromEntries(NAMES.map((name, i) => [name, values[i]])) as unknown as Setting;
    for (const [i, { spec, summary }] of panelsOf(channel, setting, texts).entries()) {
      figures[i]?.dispatchEvent(new CustomEvent('redraw', { detail: spec }));
      const place = summaries[i];
      if (place) place.textContent = summary;
    }
  };
  const set = (setting: Partial<Setting>) => {
    for (const [i, name] of NAMES.entries()) {
      const [slider, value] = [sliders[i], setting[name]];
      if (slider && value !== undefined) slider.value = String(value);
    }
    draw();
  };
  const choose = () => {
    channel = channels[Number(select.value)];
    if (!channel) return;
    bound(channel, sliders);
    set(channel);
  };
  const standard = (of: (chosen: Passing) => Standard) => () => {
    if (channel) set({ mean: of(channel).mean, deviation: of(channel).deviation });
  };
  select.addEventListener('change', choose);
  for (const slider of sliders) slider?.addEventListener('input', draw);
  controls.querySelector('button[value=batch]')?.addEventListener(
    'click',
    standard((chosen) => chosen),
  );
  controls.querySelector('button[value=moving]')?.addEventListener(
    'click',
    standard(({ moving }) => moving),
  );
  controls.hidden = false;
  choose();
}

/** Wide enough for the batch's statistics, the moving ones and what is learned. */
function bound({ x, mean, deviation, gamma, beta, moving }: Passing, sliders: (HTMLInputElement | null)[]): void {
  const least = Math.min(...x, moving.mean, mean - deviation);
  const most = Math.max(...x, moving.mean, mean + deviation);
  const widest = 3 * Math.max(deviation, moving.deviation);
  const scale = Math.max(6, 1.2 * Math.abs(gamma), 1.2 * Math.abs(beta));
  const ranges = [
    [least, most],
    [widest / 100, widest],
    [-scale, scale],
    [-scale, scale],
  ] as const;
  for (const [i, [low, high]] of ranges.entries()) {
    const slider = sliders[i];
    if (!slider) continue;
    // Steps would keep the sliders from the very values that the channel has.
    Object.assign(slider, { min: String(low), max: String(high), step: 'any' });
  }
}
