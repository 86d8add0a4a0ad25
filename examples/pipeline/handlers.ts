// The steps of a pipeline, each a backend of its own with as many processes as it needs: split a text, look at each sentence with two
// models, put together what they say. The models are toys; the way between them is what the example shows.

import type { HandlerRequest } from "headgate";

/** The sentences of a text. */
export async function split(request: HandlerRequest<{ readonly text: string }>): Promise<readonly string[]> {
  const { text } = await request.json();
  return text.split(/(?<=[.!?])\s+/).filter((sentence) => sentence !== "");
}

/** How friendly each of a list of sentences is, from -1 to 1. Takes lists, as a model that is run on a GPU would. */
export class Sentiment {
  static acceptsBatches = true;
  readonly #words: ReadonlyMap<string, number>;

  constructor(words: Readonly<Record<string, number>>) {
    this.#words = new Map(Object.entries(words));
  }

  handle(requests: readonly HandlerRequest<{ readonly sentence: string }>[]): Promise<readonly number[]> {
    return Promise.all(
      requests.map(async (request) => {
        const { sentence } = await request.json();
        const scores = wordsOf(sentence).map((word) => this.#words.get(word) ?? 0);
        return Math.max(
          -1,
          Math.min(
            1,
            scores.reduce((sum, score) => sum + score, 0),
          ),
        );
      }),
    );
  }
}

/** The longest words of a sentence. */
export async function keywords(request: HandlerRequest<{ readonly sentence: string }>): Promise<readonly string[]> {
  const { sentence } = await request.json();
  return wordsOf(sentence)
    .sort((a, b) => b.length - a.length)
    .slice(0, 2);
}

/** What is known of one sentence. */
export interface Insight {
  readonly sentence: string;
  readonly sentiment: number;
  readonly keywords: readonly string[];
}

/** The pipeline: both models at once for every sentence, each result on its way as soon as those before it are. */
export async function* analyse(request: HandlerRequest<{ readonly text: string }>): AsyncGenerator<Insight> {
  const { text } = await request.json();
  const sentences = await request.handle<typeof split>("split").call({ text });
  const sentiment = request.handle<typeof Sentiment>("sentiment");
  const words = request.handle<typeof keywords>("keywords");
  const insights = sentences.map(async (sentence): Promise<Insight> => {
    const [score, found] = await Promise.all([sentiment.call({ sentence }), words.call({ sentence })]);
    return { sentence, sentiment: score, keywords: found };
  });
  // One that fails ends the stream when its turn comes, and is no news before that.
  for (const insight of insights) insight.catch(() => undefined);
  for (const insight of insights) yield await insight;
}

function wordsOf(sentence: string): string[] {
  return sentence.toLowerCase().match(/\p{Letter}+/gu) ?? [];
}
