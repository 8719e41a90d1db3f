/** Rows of cells as columns of text, or below each other where the terminal is too narrow for that. */

/** The first column to the left, the others to the right; where that is too wide, each row as a label and what belongs to it. */
export function align(rows: string[][], columns = Infinity): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  if (widths.reduce((sum, width) => sum + width + 2, -2) > columns) return stack(rows);
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd());
}

/** "pytorch scratch", then "   examples/sec 17,769 [14,266–20,389]   ms a step 14.4 [12.6–17.9]". */
function stack([[title = '', ...headers] = [], ...rows]: string[][]): string[] {
  const lines = rows.flatMap(([name = '', ...cells]) => {
    const words = cells.map((cell, i) => (headers[i] === '' ? ` ${cell}` : `   ${headers[i] ?? ''} ${cell}`));
    return [name, `   ${words.join('').trim()}`];
  });
  return title === '' ? lines : [title, ...lines];
}
