/** The variables of compiled steps: the session has their values, and a tfjs variable fetches its own when it is looked at. */
import type * as tf from '@tensorflow/tfjs';
import type { Value } from './graph.js';
import { type DataRecord, type NativeBackend, nativeValue, replaceData, type Session } from './binding.js';
import { NAMES } from './write/savedModel.js';

interface Slot {
  readonly i: number;
  variable: tf.Variable;
  /** Data with the session's value: while the variable has it, it was not assigned to. */
  data?: object;
  /** What the backend knows of that data, as long as the session changed the value and nobody looked. */
  unseen?: DataRecord | undefined;
  /** TensorFlow's number. */
  dtype: number;
}

/** Whose session has the value of data that nobody looked at. */
const owners = new WeakMap<DataRecord, SessionVariables>();

/** A new session on the graphs; with `loops` each is there to be run many times in one call, too. */
export type OpenSession = (loops: boolean) => Session;

export class SessionVariables {
  private readonly slots: Slot[];
  private session: Session;
  private hasLoops = false;

  constructor(
    private readonly backend: NativeBackend,
    private readonly open: OpenSession,
    variables: readonly tf.Variable[],
  ) {
    this.session = open(false);
    this.slots = variables.map((variable, i) => ({ i, variable, dtype: 0 }));
  }

  /** The tfjs variables as they are now. */
  at(i: number): tf.Variable {
    return (this.slots[i] as Slot).variable;
  }

  /** Has another tfjs variable take the place of one. */
  replace(i: number, variable: tf.Variable): void {
    (this.slots[i] as Slot).variable = variable;
  }

  get disposed(): tf.Variable | undefined {
    return this.slots.find(({ variable }) => variable.isDisposed)?.variable;
  }

  /**
   * Gives the session the values of tfjs variables that were assigned to, and clones of the variables `changing`, which it is
   * about to assign to, those of their moment.
   */
  store(changing: readonly number[] = []): void {
    const stale = this.slots.filter(({ variable, data }) => variable.dataId !== data);
    const shared = stale.filter(isShared);
    for (const i of changing) {
      const slot = this.slots[i] as Slot;
      if (slot.variable.dataId === slot.data && isShared(slot)) shared.push(slot);
    }
    this.fetch(shared);
    if (stale.length === 0) return;
    // What other sessions have is fetched with one call from each, not with one for each variable.
    const records = stale.map(({ variable }) => this.backend.tensorMap.get(variable.dataId));
    for (const owner of new Set(records.map((record) => owners.get(record)))) owner?.fetchAll();
    const values = stale.map(({ variable }) => nativeValue(this.backend, variable));
    const feeds = new Map(stale.map(({ i }, j) => [NAMES.set(i), values[j]?.id ?? -1]));
    const done = this.session.run(
      feeds,
      stale.map(({ i }) => NAMES.done(i)),
    );
    for (const { id } of done) this.backend.binding.deleteTensor(id);
    for (const [j, slot] of stale.entries()) {
      slot.data = slot.variable.dataId;
      slot.unseen = undefined;
      slot.dtype = values[j]?.dtype ?? 0;
    }
  }

  /** Runs what assigns to the variables `changing`; what fails may have assigned to some of them, too. */
  run(feeds: ReadonlyMap<string, number>, fetches: readonly string[], changing: readonly number[]): Value[] {
    this.store(changing);
    try {
      return this.session.run(feeds, fetches);
    } finally {
      this.changed(changing);
    }
  }

  /** Nothing is fetched before it is looked at. */
  private changed(indices: readonly number[]): void {
    for (const i of indices) {
      const slot = this.slots[i] as Slot;
      if (slot.unseen) continue;
      slot.unseen = this.unseen(slot);
      replaceData(this.backend, slot.variable, slot.unseen);
      slot.data = slot.variable.dataId;
    }
  }

  /** Fetches all that nobody looked at yet, with one call. */
  fetchAll(): void {
    this.fetch(this.slots.filter(({ unseen }) => unseen && unseen.refCount > 0));
  }

  /** Few steps are ever run many times in one call: those move to another session, and all others start sooner. */
  openLoops(): void {
    if (this.hasLoops) return;
    const session = this.open(true);
    this.fetchAll();
    this.session.close();
    this.session = session;
    this.hasLoops = true;
    for (const slot of this.slots) delete slot.data;
  }

  close(): void {
    this.session.close();
  }

  private fetch(slots: readonly Slot[]): void {
    const waiting = slots.filter(({ unseen }) => unseen);
    if (waiting.length === 0) return;
    const values = this.session.fetch(waiting.map(({ i }) => NAMES.get(i)));
    for (const [j, slot] of waiting.entries()) {
      (slot.unseen as DataRecord).id = values[j]?.id ?? -1;
      slot.unseen = undefined;
    }
  }

  /** The stock backend asks for a tensor's values before it takes the id, and for the id alone when it disposes. */
  private unseen(slot: Slot): DataRecord {
    const fetch = () => this.fetch([slot]);
    const record: DataRecord = {
      id: -1,
      shape: slot.variable.shape,
      dtype: slot.dtype,
      refCount: 1,
      get values() {
        if (this.id < 0) fetch();
        return null;
      },
    };
    owners.set(record, this);
    return record;
  }
}

/** Whether others than the variable itself have its data that nobody looked at. */
function isShared({ unseen, variable, data }: Slot): boolean {
  return unseen !== undefined && unseen.refCount > (variable.dataId === data ? 1 : 0);
}
