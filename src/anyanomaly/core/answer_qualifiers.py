"""The words around a number that keep it from being the score, or leave a doubt: negations, bounds, conditions."""

from __future__ import annotations

import re
from typing import Final

from anyanomaly.core.answer_words import alternatives

POST_NEGATION: Final = re.compile(
    r"\s?(?:点|점|分)?\s?(?:では|じゃ)(?:あり|な)|\s?(?:点|점|分)?(?:이|가|은|는)? ?아[니닙닌]|\s?değil|\s?नहीं|"
    r"\s?(?:is|was|would be|seems) (?:not|too|wrong|incorrect)\b|\s?isn't"
    r"|\W{0,2}(?:is|was|as) (?:just |only |merely )?an example\b"
)

DEGREES: Final = alternatives(
    "fully|entirely|completely|perfectly|totally|quite|very|the main|only|just|as|vollständig|ganz|komplett|voll",
    "entièrement|complètement|totalement|totalmente|completamente|del todo|полностью|совсем|完全|全部|完整|완전",
)
"""After a negation: the event is present, if less clearly."""

BOUNDS_BEFORE: Final = re.compile(
    alternatives(
        "at least|at most|less than|more than|over|under|above|below|up to|no more than|no less than|not more than",
        "not less than|minimum|maximum|exceeds|exceeding|exceed|greater than|higher than|lower than|smaller than|"
        "larger than",
        "beyond|nearly|almost|close to|near|minimum of|maximum of|starting at|beginning at|mindestens|höchstens",
        "weniger als|mehr als|über|unter|bis zu|größer als|kleiner als|höher als|niedriger als|nahezu|maximal|minimal",
        "au moins|au plus|moins de|plus de|supérieur à|supérieure à|inférieur à|inférieure à|jusqu'à|presque",
        "al menos|como mínimo|como máximo|a lo sumo|menos de|más de|superior a|inferior a|hasta|mayor que|menor que",
        "minimum de|casi|por lo menos|mayor de|menor de|pelo menos|no máximo|no mínimo|mais de|acima de|abaixo de|até",
        "maior que|quase",
        "almeno|al massimo|al più|meno di|più di|oltre|fino a|sotto|sopra|quasi|maggiore di|minore di",
        "не менее|не более|не меньше|не больше|меньше|больше|менее|более|свыше|ниже|выше|минимум|максимум|почти|до|от|"
        "около нуля",
        "على الأقل|على الأكثر|أقل من|أكثر من|أعلى من|فوق|تحت|حوالي أقل|कम से कम|अधिकतम|न्यूनतम|ज्यादा से ज्यादा",
        "en az|en fazla|en çok|ít nhất|nhiều nhất|dưới|trên|hơn|tối đa|tối thiểu|gần|minstens|hoogstens|minder dan|"
        "meer dan",
        "co najmniej|mniej niż|więcej niż|setidaknya|kurang dari|lebih dari|minst|högst|alespoň",
        "至少|至多|最多|最少|不到|不足|不超过|不超過|超过|超過|低于|低於|高于|高於|大于|大於|小于|小於|接近|少なくとも|"
        "最大|最小|적어도|최소|최대|많아야",
    )
)
"""Before a number: it is a bound of the score."""

BOUNDS_AFTER: Final = re.compile(
    r"[\s%点点分점]{0,3}(?:\+|(?:or|and) (?:higher|more|above|greater|lower|less|below|under|up)\b|oder (?:mehr|"
    r"höher|weniger)"
    r"|ou (?:plus|moins|mais|menos)\b|o (?:más|menos|più|meno)\b|или (?:более|менее|выше|больше)"
    r"|以上|以下|以内|未満|未满|未滿|より(?:大|小|高|低|上|下)|を(?:超|上回|下回)|이상|이하|미만|초과|보다"
    r"|(?:'?[dt][ea]n)?\s?(?:az|fazla|büyük|küçük|yüksek|düşük)\b|(?:'?(?:nın|nin|in|ın))?\s?(?:üzerinde|altında|"
    r"üstünde)"
    r"|\s?से (?:कम|अधिक|ज़?्?यादा|ऊपर|नीचे)|\s?trở (?:lên|xuống)|\s?(?:at )?(?:minimum|maximum)\b|\s?(?:tops|max|min|"
    r"at most|"
    r"at best|at worst|at least)\b)"
)

WHETHER: Final = re.compile(
    r"\b(?:(?:un)?clear|tell|see|say|know|determine|(?:un)?sure|(?:un)?certain|evident|discern|confirm|as|"
    r"ambiguous) if\b"
    r"|\bif i (?:had|have|must|were|need) to\b|\b(?:claro|clair|chiaro|saber|seguro|sûr|sicuro|decir|dizer|"
    r"dire) (?:si|se)\b"
)
"""What looks like a condition and is none."""

CONDITIONS: Final = re.compile(
    alternatives(
        "if|unless|wenn|falls ein|falls kein|falls das|falls die|falls der|falls ich|s'il|s'ils|si la|si le|si un|"
        "si une|si on|si hubiera|si hay|si no",
        "si existiera|si estuviera|si ci fosse|se ci fosse|se fosse|se houvesse|se existisse|se há|se houver|"
        "se existir|se aparecer|se c'è|se ci|se si|si existe|si aparece|se il|se un",
        "если|إذا|لو|यदि|अगर|eğer|olsaydı|nếu|jeśli|gdyby|jika|kalau|如果|若有|若是|若为|若為|若存在|若图|若圖|倘若|"
        "假如|假设|假設|要是|もし|ならば|만약|만일|"
        "라면|다면",
    )
)

EXAMPLES: Final = re.compile(
    alternatives(
        "sample|template|for example|for instance|e.g.|e. g.|example|zum beispiel|z.b.|z. b.|bspw.|beispiel*|etwa wie",
        "par exemple|p. ex.|por ejemplo|p. ej.|por exemplo|ad esempio|per esempio|например|к примеру",
        "مثلا|مثلاً|على سبيل المثال|مثال|उदाहरण*|örneğin|mesela|ví dụ|chẳng hạn|bijvoorbeeld|na przykład|np.|misalnya|"
        "contohnya",
        "例:|예:|例如|比如|譬如|举例|舉例|例えば|たとえば|예를 들|예컨대|예시",
    )
)
CONTRASTS: Final = re.compile(
    alternatives(
        "rather than|instead of|as opposed to|statt|anstatt|anstelle von|und nicht|plutôt que|au lieu de|et pas",
        "en lugar de|en vez de|y no|em vez de|e não|invece di|piuttosto che|e non|вместо|а не|بدلا من|وليس",
        "thay vì|chứ không phải|而不是|而非",
    )
)
"""Before a number: another one is the score."""

DIFFERENCE: Final = re.compile(r"[\s,;(]+(?:and |but |und |et )?(?:not|nicht|pas|не|不是) ?(?:an? |the |eine? |une? )?")
"""Between two numbers: the first one is the score, the second one is not."""

CONTRASTS_AFTER: Final = re.compile(
    r"[点점]?(?:ではなく|じゃなく|이 아니라|가 아니라| ?대신)|\s?(?:yerine|के बजाय|की जगह)"
)
"""After a number: another one is the score."""

TENTATIVE: Final = re.compile(
    alternatives(
        "considered|initially|initial|at first|originally|tempted|was thinking|zunächst|anfangs|anfänglich*|d'abord",
        "initial*|inicial*|al principio|inizial*|сначала|первоначальн*|изначально|في البداية|başlangıç*|ban đầu",
        "最初|起初|初步|初始|처음|초기",
    )
    + r"|\bi (?:\w+ )?thought\b|\bthought:"
)
"""Before a number: the model did not keep it."""

CONSEQUENCES: Final = re.compile(
    alternatives(
        "so|así que|therefore|thus|hence|daher|deshalb|also|somit|donc|por lo tanto|por tanto|por eso|portanto|logo|"
        "então",
        "quindi|perciò|dunque|поэтому|значит|следовательно|لذلك|لذا|इसलिए|dolayısıyla|bu yüzden|için|olduğundan",
        "nên|vì vậy|dus|dlatego|maka|因此|所以|故|ので|ため|よって|したがって|から|으므로|므로|따라서|그래서|어서",
    )
)
"""Between a reason and what follows from it."""

RETRACTIONS: Final = re.compile(
    r"\b(?:that|this|it)(?:'s| is| was| seems) (?:wrong|incorrect|not (?:right|correct)|a mistake|mistaken)(?!\w| \w)"
    r"|\b(?:scratch|strike|disregard|forget|ignore) (?:that|this|it)\b|\bnever ?mind\b|\bon second thought"
    r"|\btake (?:that|it) back|\bi was (?:wrong|mistaken)"
    r"|\blet me (?:re-?think|re-?consider|re-?evaluate|re-?check|re-?assess|correct|look again)"
    r"|\bdas (?:ist|war) (?:falsch|ein fehler)|\bc'est (?:faux|une erreur)"
    r"|\b(?:eso|esto) (?:es incorrecto|está mal|no es correcto)|\bэто (?:неверно|неправильно|ошибка)"
    r"|不对(?!\w)|[这那]是错的|訂正します|잘못"
)
"""After the last number: the model takes it back."""

COMPARISONS: Final = re.compile(
    r"(?:format:\s?|(?<!more )(?:"
    + alternatives("like|such as|comme|tel que|wie|come|как|जैसे|gibi|مثل|像|如|のような|같은")
    + r")\s?(?:an? |un |une |eine? )?)$"
)

LEGEND_AFTER: Final = re.compile(
    r"[\s\")\]]{0,3}(?:=(?![=>])|"
    + alternatives(
        "means|mean|meaning|indicate|indicates|indicating|represents|representing|denotes|stands for|signifies",
        "implies|corresponds|would mean|would indicate|being|for absent|for present|if it|if the|if no|when|"
        "is absent|is present|is not|is no|is clearly|is completely|is fully|is definitely|is certain",
        "bedeute*|heißt|entspricht|steht für|signifi*|veut dire|correspond|indique|indiquant|significa*|"
        "quiere decir|equivale|indica*",
        "quer dizer|означа*|значит|соответств*|указыва*|يعني|تعني|يشير|تشير|का मतलब|का अर्थ|यानी|anlamına|demektir|"
        "demek|nghĩa là|có nghĩa|biểu thị",
        "betekent|oznacza|berarti|betyder|表示|代表|意味着|意味著|意思|即|を意味|は存在|は無|はない|はなし|はあり|"
        "を表|を示|은 없|은 있|는 없|는 있|을 의미|를 의미|을 뜻|를 뜻|을 나타|를 나타|은 존재|는 존재",
    )
    + r")"
)
"""After a number: it explains the scale."""
