//! The phrases of small talk in Portuguese, English and Spanish, by when they ask for nothing.

/// When a phrase asks nothing of the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Always.
    Social,
    /// Where the assistant did not ask: "ok" may take up what it offered.
    Reply,
    /// After an answer that asks nothing back: by itself it may be what is looked for, as "legal" in English.
    Reaction,
    /// Where nothing was said before: "yes" answers what was, and "como se chama?" asks about it.
    First,
    /// Beside another phrase.
    Filler,
}

/// Lower case without accents and signs, with commas between phrases.
pub const PHRASES: &[(Kind, &str)] = &[
    // Greetings
    (
        Kind::Social,
        "hi, hello, hey, hiya, howdy, greetings, good morning, good afternoon, good evening, good day, morning, yo, sup, \
         what s up, whats up, wassup, how are you, how are you doing, how are you today, how r u, how do you do, \
         how is it going, how s it going, hows it going, how have you been, nice to meet you, pleased to meet you, \
         i m fine, i am fine, i m good, fine thanks, and you, anybody there, anyone there, is anybody there, \
         is anyone there, are you there, can you hear me, welcome back",
    ),
    (
        Kind::Social,
        "oi, ola, oie, oii, opa, alo, eai, eae, e ai, salve, fala ai, bom dia, boa tarde, boa noite, bom fim de semana, \
         bom final de semana, tudo bem, tudo bom, td bem, td bom, tudo certo, tudo joia, tudo tranquilo, como vai, \
         como vai voce, como voce esta, como vc esta, e voce, e vc, \
         tudo bem com voce, tudo bem com vc, prazer, prazer em conhecer, prazer em conhece lo, muito prazer, tem alguem ai, \
         alguem ai, voce esta ai, vc ta ai, ta ai",
    ),
    (
        Kind::Social,
        "hola, ola que tal, buenas, buenos dias, buen dia, buenas tardes, buenas noches, que tal, que tal estas, \
         como te va, como le va, como esta usted, que onda, todo bien, y tu, y usted, mucho gusto, encantado, \
         encantada, un placer, hay alguien ahi, hay alguien, estas ahi, buen fin de semana",
    ),
    // Thanks, apologies
    (
        Kind::Social,
        "thanks, thank you, thanks a lot, thanks so much, thanks very much, many thanks, thank u, thx, tks, ty, tysm, cheers, \
         much appreciated, i appreciate it, i appreciate that, appreciate it, no thanks, no thank you, that s all, \
         that is all, that will be all, you re welcome, you are welcome, no problem, no worries, never mind, nevermind, \
         sorry, i m sorry, i am sorry, my bad, excuse me",
    ),
    (
        Kind::Social,
        "obrigado, obrigada, obg, brigado, brigada, brigadao, obrigadao, muito obrigado, muito obrigada, valeu, vlw, \
         valeu mesmo, grato, grata, agradeco, agradecido, agradecida, muito grato, muito grata, eu agradeco, por nada, \
         de nada, imagina, disponha, nao obrigado, nao obrigada, era so isso, por enquanto e so, \
         desculpa, desculpe, me desculpe, foi mal, perdao, deixa pra la, esquece",
    ),
    (
        Kind::Social,
        "gracias, muchas gracias, mil gracias, muchisimas gracias, te lo agradezco, se lo agradezco, no gracias, eso es todo, \
         es todo, no hay de que, perdon, disculpa, disculpe, lo siento",
    ),
    // Goodbyes, wishes
    (
        Kind::Social,
        "bye, bye bye, goodbye, good bye, good night, see you, see ya, see you later, see you soon, see you tomorrow, cya, \
         take care, have a nice day, have a good day, have a great day, have a good one, have a nice weekend, farewell, \
         talk to you later, ttyl, happy new year, merry christmas, happy birthday",
    ),
    (
        Kind::Social,
        "tchau, tchauzinho, tchau tchau, xau, adeus, ate, ate logo, ate mais, ate mais tarde, ate amanha, ate breve, \
         ate a proxima, ate ja, falou, flw, fui, abraco, abracos, um abraco, beijo, beijos, bjs, tenha um bom dia, \
         tenha uma boa tarde, tenha uma boa noite, tenha um otimo dia, bom descanso, bom trabalho, feliz natal, \
         feliz ano novo, feliz aniversario",
    ),
    (
        Kind::Social,
        "adios, chau, chao, hasta luego, hasta pronto, hasta manana, hasta la vista, nos vemos, cuidate, \
         que tengas un buen dia, que tenga un buen dia, feliz navidad, feliz ano nuevo, feliz cumpleanos, un saludo, saludos",
    ),
    // The assistant itself
    (
        Kind::Social,
        "who are you, what are you, what is your name, what s your name, whats your name, are you a bot, are you a robot, \
         are you human, are you an ai, are you real, are you chatgpt, who made you, who created you, what can you do, \
         what can you help me with, how can you help me, can you help me, i need help, i need your help, tell me about yourself, \
         introduce yourself, which model are you, what model are you, how old are you, do you speak english, \
         do you speak portuguese, do you speak spanish, tell me a joke, i love you",
    ),
    (
        Kind::Social,
        "quem e voce, quem e vc, quem es tu, o que e voce, o que voce e, qual o seu nome, qual e o seu nome, qual seu nome, \
         qual e seu nome, como voce se chama, como vc se chama, voce e um robo, voce e um bot, \
         voce e uma ia, voce e humano, voce e uma pessoa, voce e real, voce e o chatgpt, quem te criou, quem criou voce, \
         quem fez voce, quem te fez, o que voce faz, o que vc faz, o que voce pode fazer, o que voce sabe fazer, \
         o que voce consegue fazer, como voce pode me ajudar, como pode me ajudar, como voce pode ajudar, no que pode me ajudar, \
         em que pode me ajudar, em que voce pode me ajudar, voce pode me ajudar, pode me ajudar, vc pode me ajudar, \
         me ajuda, me ajude, preciso de ajuda, preciso da sua ajuda, fale sobre voce, fale de voce, se apresente, \
         apresente se, qual modelo voce e, que modelo voce e, quantos anos voce tem, voce fala portugues, voce fala ingles, \
         voce fala espanhol, conte uma piada, me conte uma piada, conta uma piada, te amo, eu te amo",
    ),
    (
        Kind::Social,
        "quien eres, quien eres tu, quien es usted, que eres, como te llamas, cual es tu nombre, eres un robot, eres un bot, \
         eres humano, eres una ia, quien te creo, quien te hizo, que puedes hacer, que haces, que sabes hacer, \
         en que puedes ayudarme, en que me puedes ayudar, como puedes ayudarme, como me puedes ayudar, puedes ayudarme, \
         me puedes ayudar, necesito ayuda, hablame de ti, presentate, cuantos anos tienes, hablas espanol, hablas ingles, \
         hablas portugues, cuentame un chiste, te quiero",
    ),
    // Heard
    (
        Kind::Reply,
        "ok, okay, okey, oki, okie, k, okay then, alright, all right, got it, i see, i got it, understood, gotcha, noted, \
         roger, makes sense, hm, hmm, mm, mhm, uh huh, ah, oh, wow, lol, haha, blz, beleza, ta, ta bom, ta bem, ta certo, \
         tabom, entendi, entendido, compreendi, saquei, anotado, ciente, hum, uhum, aham, ah ta, ah sim, uau, \
         eita, poxa, puxa, caramba, ja entendi, agora entendi, faz sentido, de acuerdo, entiendo, entendi bien, comprendo, \
         ya veo, ya entendi, esta bien, esta bom, esta bem, vaya, anda, xd",
    ),
    (
        Kind::Reaction,
        "great, perfect, nice, cool, awesome, amazing, excellent, wonderful, fantastic, brilliant, good, very good, very nice, \
         good job, well done, great job, nice one, interesting, very interesting, that helps, that helped, that was helpful, \
         very helpful, so helpful, you re the best, you are the best, good answer, great answer, good to know, love it, \
         i like it, right, correct, exactly",
    ),
    (
        Kind::Reaction,
        "otimo, otima, perfeito, perfeita, excelente, legal, que legal, muito legal, maravilha, maravilhoso, show, show de bola, \
         massa, top, bacana, joia, certo, certinho, correto, exato, exatamente, isso, isso mesmo, e isso, muito bom, muito bem, \
         bom, boa, que bom, parabens, boa resposta, otima resposta, ajudou muito, ajudou, me ajudou muito, voce me ajudou muito, \
         interessante, muito interessante, incrivel, bom saber, adorei, gostei, nossa, voce e demais, combinado, fechado, bora",
    ),
    (
        Kind::Reaction,
        "genial, perfecto, perfecta, estupendo, fantastico, muy bien, muy bueno, bien, vale, claro, correcto, exacto, \
         exactamente, buena respuesta, que bueno, que bien, interesante, muy interesante, increible, eso es, me sirve, \
         me ayudo mucho, felicidades, listo, chevere, buenisimo",
    ),
    // What would lean on earlier turns
    (
        Kind::First,
        "yes, yeah, yep, yup, no, nope, nah, sure, of course, please, yes please, go ahead, please do, not really, maybe, \
         sim, s, ss, nao, n, claro que sim, com certeza, por favor, sim por favor, pode ser, pode, quero, quero sim, eu quero, \
         aceito, pode sim, talvez, nao quero, ainda nao, si, si por favor, claro que si, por supuesto, quiero, dale, \
         adelante, como se chama, como se llama, como esta, como estas, como andas, como vao as coisas, que hay, puede ser, quizas, tal vez, todavia no",
    ),
    (
        Kind::Filler,
        "there, again, all, everyone, everybody, folks, guys, team, friend, my friend, buddy, mate, sir, bot, chatbot, assistant, \
         ai, chatgpt, lastro, then, so much, very much, a lot, a bunch, for now, for your help, for the help, for helping, \
         for everything, for the answer, for your time, for your answer, for that, for the information, for the info, today, \
         really, so, and, but, well, oh, ah, now, anyway",
    ),
    (
        Kind::Filler,
        "pessoal, gente, galera, amigo, amiga, amigos, meu amigo, minha amiga, cara, mano, meu, professor, professora, doutor, \
         doutora, senhor, senhora, todos, todas, a todos, a todas, assistente, robo, de novo, novamente, mesmo, muito, demais, \
         entao, por tudo, por enquanto, pela ajuda, pela sua ajuda, por ajudar, por me ajudar, por sua ajuda, pela resposta, \
         pela informacao, pelas informacoes, pela atencao, pela paciencia, hoje, ai, viu, ne, la, so, e, mas, bem, agora, querido, \
         querida",
    ),
    (
        Kind::Filler,
        "a todos, a todas, amigo mio, companero, companera, profesor, profesora, asistente, otra vez, de nuevo, por todo, \
         por la ayuda, por tu ayuda, por su ayuda, por ayudarme, por la respuesta, por la informacion, por su tiempo, hoy, \
         entonces, y, pero, bueno, pues, ahora",
    ),
];
