/** What long work reports while it goes on; rooms report it, only the terminal draws it. */

export interface Progress {
  /** What is being done, as a person would say it: "TensorFlow 2.18.1". */
  label: string;
  /** Done so far and in all, in bytes unless `figures` say otherwise. */
  done: number;
  total: number;
  /** What stands behind the bar, where bytes and time are not what is counted. */
  figures?: string;
}

export interface Listener {
  progress: (progress: Progress) => void;
  /** One line of news: which source is tried next, what is being waited for. */
  notice: (line: string) => void;
  /** One line that is told even to who wants no news: something slower than the best is used. */
  warn: (line: string) => void;
  /** Whether a person who is there agrees; where nobody is, or it is left out, nobody is asked. */
  confirm?: (question: string) => Promise<boolean>;
}

export const silent: Listener = { progress: () => undefined, notice: () => undefined, warn: () => undefined };

/** Whom to tell of long work, and who may stop it. */
export interface Watch {
  listener: Listener;
  signal?: AbortSignal | undefined;
}
