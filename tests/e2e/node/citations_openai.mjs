// A streamed chat in each way of citing, through the openai package's own helper.
import OpenAI from 'openai';

const { url, model, question, modes } = JSON.parse(process.argv[2]);
const said = {};
for (const mode of modes) {
  const client = new OpenAI({ baseURL: url, apiKey: 'none', maxRetries: 0, defaultHeaders: { 'X-RAG-Citations': mode } });
  const request = { model, messages: [{ role: 'user', content: question }] };
  const stream = client.chat.completions.stream(request);
  const annotations = [];
  for await (const chunk of stream) annotations.push(...(chunk.choices[0]?.delta?.annotations ?? []));
  const message = await stream.finalMessage();
  const whole = (await client.chat.completions.create(request)).choices[0].message;
  said[mode] = { text: message.content, annotations, whole: whole.content, wholeAnnotations: whole.annotations ?? [] };
}
console.log(JSON.stringify(said));
