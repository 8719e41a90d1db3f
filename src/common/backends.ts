/** The backends and the devices that each computes on, the best first: what `auto` tries, and what a flag or a file may name. */

/** `auto` goes down the list, whoever names a backend or a device leaves only that of it. */
export const FALLBACKS = [
  { backend: 'native', device: 'cuda' },
  { backend: 'native', device: 'cpu' },
  { backend: 'wasm', device: 'cpu' },
  // So slow that it is taken only by its name.
  { backend: 'js', device: 'cpu', byNameOnly: true },
] as const;

export type Fallback = (typeof FALLBACKS)[number];
export type Backend = Fallback['backend'];
export type BackendName = 'auto' | Backend;

export const BACKENDS: readonly Backend[] = [...new Set(FALLBACKS.map(({ backend }) => backend))];
