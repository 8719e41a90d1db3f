/** Chinese for what claims bring along in English: measures, units, criteria, names of lines and axes, remarks. */

export function translated(text: string): string {
  return text;
}
