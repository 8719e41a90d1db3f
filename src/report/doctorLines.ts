/** The doctor's findings as lines. */

interface Findings {
  facts: { label: string; value: string }[];
  missing: { what: string; command: string }[];
  choice: { backend: string; device: string; reason: string };
}

/** Three spaces behind the longest label, by which a narrow terminal's lines are broken. */
const WIDTH = 21;

export function doctorLines({ facts, missing, choice }: Findings): string[] {
  const rows = facts.map(({ label, value }) => `${label.padEnd(WIDTH)}${value}`);
  const needs = missing.flatMap(({ what, command }) => [`missing: ${what}`, `hint: ${command}`]);
  return [...rows, `${'backend'.padEnd(WIDTH)}${choice.backend} on ${choice.device}: ${choice.reason}`, ...needs];
}
