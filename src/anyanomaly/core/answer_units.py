"""Units, ranges, ratios, scales and references to frames: what the signs and words around a number make of it."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = re.compile(
    r"[ -]?(?:[mck]?m|km/?h|mph|m/s|ms|s|sec|secs|seconds?|mins?|minutes?|h|hrs?|hours?|days?|years?|fps|hz|khz|px|"
    r"pixels?|dpi|mp|megapixels?|kg|g"
    r"|lb|lbs|pounds?|met(?:er|re)s?|cent[ia]met\w+|kilomet\w+|miles?|feet|foot|ft|inch(?:es)?|yards?|degrees?|deg|"
    r"° ?[cf]?|º|dollars?|euros?|usd|eur"
    r"|gb|mb|kb|v|w|x|×|db|lux|iou|litres?|liters?|sekunden?|minuten?|stunden?|uhr|meter[ns]?|grad|jahre?|tage?|"
    r"mètres?|secondes?|heures?|ans|jours"
    r"|metros?|segundos?|horas?|años|dias|días|grados|metri|secondi|ore|anni|gradi|метр\w*|м|км|см|сек\w*|секунд\w*|"
    r"минут\w*|час\w*|лет|градус\w*"
    r"|руб\w*|متر\w*|ثاني\w*|ثوان\w*|دقيق\w*|मीटर|सेकंड|मिनट|घंट[ेा]|ساع\w*|ora|giờ|tl|[ap]m|[ap]\.m\.|(?:persons?|"
    r"people) per|metre|saniye|dakika|saat|derece|mét|giây|phút|"
    r"độ)(?![^\W\d_])"
    r"| ?(?:米|公斤|斤|克|吨|公里|厘米|秒|分钟|分鐘|分間|分前|分後|小时|小時|時|度|倍|元|円|岁|歳|年|月|日|个|個|人|"
    r"名|辆|輛|台|"
    r"枚|张|張|帧|次|级|章|メートル|センチ|キロ|미터|초|시간|시|명|대|개|장|도|원|살|년|월|일|번)"
    r"| ?[€£¥₹₽$]|[²³^*×°′″'\ufe0f\u20e3]"
)
"""After a number: it is a quantity."""

POINTS: Final = re.compile(
    r" ?(?:points?|pts?|punkte?n?|puan\w*|puntos?|pontos?|punti|балл\w*|अंक|điểm|分|点|점|درجة|نقطة)"
)

REFERENCES: Final = (
    r"(?:frame|frames|image|images|picture|pictures|photo|photos|panel|panels|row|rows|column|columns|step|scene|"
    r"segment|clip|cell|tile|figure|fig\.?|img|shot"
    r"|bild|bilder|zeile|spalte|reihe|ligne|colonne|trame|imagen|cuadro|fotograma|fila|columna|imagem|quadro|linha|"
    r"coluna|immagine|fotogramma|riga|colonna"
    r"|кадр\w*|изображени\w*|строк\w*|столб\w*|картинк\w*|(?:ال)?إطار|(?:ال)?صورة|(?:ال)?صف|(?:ال)?عمود|फ्रेम|छवि|"
    r"चित्र|पंक्ति|स्तंभ|kare|görüntü|resim|satır|sütun"
    r"|khung hình|hình ảnh|hình|ảnh|hàng|cột|klatka|obraz|beeld|gambar|kuva"
    r"|图像|图片|图|圖像|圖片|圖|帧|幀|画面|フレーム|画像|コマ|行|列|이미지|프레임|사진|그림|행|열)"
)

_OPTIONAL_ORDINAL: Final = "first|second|third|fourth|last|1st|2nd|3rd|4th"
ORDINAL_REFERENCES: Final = re.compile(
    rf"(?:the )?(?:{_OPTIONAL_ORDINAL}) (?:frame|image|picture|panel|row|"
    rf"photo)\b(?:,? ?(?:{_OPTIONAL_ORDINAL}) column\b)?"
    r"|第 ?[一二三四五六七八九十\d]{1,3} ?(?:帧|幀|张|張|幅|个|個|枚|行|列|格|副|コマ|フレーム)(?:目|の?画像|"
    r"图片?|圖片?|图像)?"
    r"|\d{1,3} ?(?:枚目|番目|コマ目)(?:の?画像|のフレーム)?|(?:첫|두|세|네|다섯) ?번째 ?(?:이미지|프레임|사진)?|"
    r"\d{1,3} ?번째? ?(?:이미지|프레임|사진)"
    r"|\d{1,3}[.-] ?(?:bild|kare|görüntü|кадр|изображение)\b"
    r"|(?:erstes|zweites|drittes|viertes) bild|(?:première|deuxième|troisième|quatrième) image|(?:primera|segunda|"
    r"tercera|cuarta) imagen"
)

SCALE_SEPARATORS: Final = (
    r" ?(?:-|–|~|to|and|or|bis|und|oder|à|a|et|ou|y|o|e|até|"
    r"до|и|или|到|至|和|或|から|と|か|에서|부터|إلى|و|أو|से|और|या|ile|ve|veya|đến|và|hoặc|tot|en|do) ?"
)
"""Between the ends of a scale."""

RANGES: Final = re.compile(
    r"[ %分点점]{0,3}(?:-|–|~|±|\+/-|\.\.\.?|/|to|through|and|or|bis|und|oder|à|et|ou|a|y|o|u|e|até|до|и|или|到|至|"
    r"和|或者?|から|と|または|か|에서|부터|또는|과|와"
    r"|إلى|و|أو|से|और|या|ile|ve|veya|đến|và|hoặc|tot|en|of|do|lub|i|sampai|dan|atau)[ 約约]{0,2}"
)
"""Between two numbers: they are the ends of a range, or alternatives."""

RATIOS: Final = re.compile(r"(?: ?[/∕] ?| (?:out of|of|von|sur|de|su|di|из|من|trên|trên thang|van|na|dari|av|od) )")
FULL_MARKS: Final = re.compile(
    r"(?:满分|滿分|總分|总分)(?:为|為|是)? ?(\d{1,3}) ?(?:分|点)?|(\d{1,3}) ?(?:点満点|分满分|分滿分|分制|点中|"
    r"分中)中?(?:の|で)?"
    r"|(\d{1,3}) ?점 ?(?:만점)?(?:에서|에|중에?)? ?(?=\d)|(\d{1,3}) में से|(\d{1,3}) üzerinden"
)
PERCENT_AFTER: Final = re.compile(
    r" ?%(?!\d)|[ -]?(?:per ?cent|prozent\w*|pour ?cent|por ?ciento|por ?cento|per ?cento|процент\w*|在?パーセント|"
    r"퍼센트|في المئة|في المائة|بالمئة|بالمائة|प्रतिशत|फीसदी|phần trăm|procent)"
)
PERCENT_BEFORE: Final = re.compile(r"(?:%|百分之|yüzde ) ?\Z")
