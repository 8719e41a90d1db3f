/** The time that is left follows from the table until there is something measured, and then from that. */
import { expect, it } from 'vitest';
import { TimeLeft } from '../../src/study/timeLeft.js';

it('is the table’s before any trial is computed, spread over the workers', () => {
  const left = new TimeLeft(2);
  left.expect([10, 20, 30]);
  expect(left.seconds()).toBe(30);
  left.expect([50, 10]);
  // No worker helps another.
  expect(left.seconds()).toBe(50);
  expect(left.share()).toBe(0);
});

it('is by what trials took here, and not by those that were there', () => {
  const left = new TimeLeft(1);
  left.expect([10, 10, 20, 20]);
  left.finish(10, undefined);
  expect(left.seconds()).toBe(50);
  left.finish(20, 60);
  expect(left.seconds()).toBe(90);
  expect(left.share()).toBe(0.5);
  left.finish(10, 15);
  expect(left.seconds()).toBe(50);
  left.finish(20, 1);
  expect([left.seconds(), left.share()]).toEqual([0, 1]);
});

it('counts what becomes known later', () => {
  const left = new TimeLeft(1);
  left.expect([10]);
  left.finish(10, 20);
  expect(left.share()).toBe(1);
  left.expect([10]);
  expect([left.seconds(), left.share()]).toEqual([20, 0.5]);
});

it('is nothing where nothing is to be done', () => {
  const left = new TimeLeft(2);
  expect([left.seconds(), left.share()]).toEqual([0, 1]);
});
