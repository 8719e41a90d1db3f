/** The doctor's findings as lines. */

interface Findings {
  facts: { label: string; value: string }[];
  missing: { what: string; command: string }[];
  choice: { backend: string; reason: string };
}

export function doctorLines({ facts, missing, choice }: Findings): string[] {
  const rows = facts.map(({ label, value }) => `${label.padEnd(15)}${value}`);
  const needs = missing.map(({ what, command }) => `missing: ${what}\nhint: ${command}`);
  return [...rows, `${'backend'.padEnd(15)}${choice.backend}: ${choice.reason}`, ...needs];
}
