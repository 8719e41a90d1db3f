/** A TensorFlow session that holds a SavedModel's graphs and their variables. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { NativeBackend, TensorMetadata } from './binding.js';
import { NAMES } from './write/savedModel.js';

export class Session {
  private constructor(
    private readonly backend: NativeBackend,
    private readonly id: number,
  ) {}

  /** Opens a session on the bytes of a saved_model.pb; nothing is left on disk. */
  static async open(backend: NativeBackend, savedModel: Uint8Array): Promise<Session> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'bn-train-'));
    try {
      await writeFile(path.join(folder, 'saved_model.pb'), savedModel);
      return new Session(backend, backend.binding.loadSavedModel(folder, NAMES.tag));
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** Feeds native tensors by name and fetches new ones, which the caller owns. */
  run(feeds: ReadonlyMap<string, number>, fetches: readonly string[]): TensorMetadata[] {
    const outputs = fetches.map((name) => `${name}:0`).join(',');
    const names = [...feeds.keys()].map((name) => `${name}:0`).join(',');
    return this.backend.binding.runSavedModel(this.id, [...feeds.values()], names, outputs);
  }

  close(): void {
    this.backend.binding.deleteSavedModel(this.id);
  }
}
