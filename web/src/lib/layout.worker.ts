// SPDX-License-Identifier: Apache-2.0
/// <reference lib="webworker" />
import { answer, type LayoutQuestion } from './layout';

self.onmessage = (event: MessageEvent<{ turn: number; question: LayoutQuestion }>) => {
  const { turn, question } = event.data;
  self.postMessage({ turn, answer: answer(question) });
};
