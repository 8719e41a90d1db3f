/** Values as people read them: bytes, durations, rates and accuracies, each with its unit, and text that a terminal may show. */

const group = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 230236181 → "230.2 MB" (decimal units). */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power] ?? ''}`;
}

/** 75.3 → "1 min 15 s"; below a minute one decimal. */
export function formatSeconds(seconds: number): string {
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** 60000 → "60,000". */
export function formatCount(count: number): string {
  return group.format(count);
}

/** 0.8913 → "0.891": a loss or an accuracy. */
export function formatMetric(value: number): string {
  return value.toFixed(3);
}

/** 0.8673 → "86.7 %"; what is nearly sure is not called certain. */
export function formatShare(share: number): string {
  return `${(Math.floor(share * 1000 + 1e-9) / 10).toFixed(1)} %`;
}

/** Names and values out of files may hold characters that a terminal would obey; they are written out. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_C}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}
