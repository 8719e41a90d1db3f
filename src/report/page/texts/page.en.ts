/** English words of what every page has. */

export const page = {
  lang: 'en',
  skip: 'Skip to the content',
  theme: 'Light / dark',
  contents: 'Contents',
  sentences: (all: string[]) => all.join(' '),
  list: (items: string[]) => items.join(', '),
  lists: (all: string[]) => all.join('; '),
  copy: 'Copy',
  copied: 'Copied',
  madeBy: (version: string) => `Made by bn-train ${version} from the folder alone; no part of it comes from a network.`,
  figure: {
    table: 'The numbers as a table',
    series: 'Series to show or hide',
    group: 'Group',
    mean: 'Mean',
    values: 'Values',
    everyRow: (shown: number, all: number) => `${shown} of ${all} rows, evenly spread.`,
  },
};
