// A streamed chat in each way of citing, through the Vercel AI SDK and two of its providers.
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';

const { url, model, question, modes, provider } = JSON.parse(process.argv[2]);
const said = {};
for (const mode of modes) {
  const options = { baseURL: url, apiKey: 'none', headers: { 'X-RAG-Citations': mode } };
  const chat = provider === 'openai' ? createOpenAI(options).chat(model) : createOpenAICompatible({ ...options, name: 'lastro' })(model);
  const fail = ({ error }) => {
    throw error;
  };
  const stream = streamText({ model: chat, prompt: question, maxRetries: 0, onError: fail });
  let text = '';
  const sources = [];
  for await (const part of stream.fullStream) {
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'source') sources.push(part);
    if (part.type === 'error') throw part.error;
  }
  const whole = await generateText({ model: chat, prompt: question, maxRetries: 0 });
  said[mode] = { text, annotations: sources, whole: whole.text, wholeAnnotations: whole.sources };
}
console.log(JSON.stringify(said));
