"""Words for a password in other languages, and what is said about one."""

from __future__ import annotations

import unicodedata

__all__ = ["ENDINGS", "PHRASES", "SPACED", "STATES", "STEMS", "WEAK", "fold"]

_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ı": "i"})


def fold(text: str) -> str:
    """Without accents: `contraseña` and `contrasena` are one word."""
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    plain = "".join(char for char in apart if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", plain)


_WRITTEN = tuple(
    """passwort kennwort geheimnis contraseña contrasenya secreto motdepasse mdp senha segredo
    wachtwoord hasło heslo lösenord lozinka salasana passord adgangskode jelszó şifre parool
    slaptažodis пароль парола гасло лозинка 密码 密碼 口令 パスワード 暗証番号 비밀번호 암호 סיסמה
    סיסמא""".split()  # noqa: SIM905  a list of words to read
)
_WRITTEN_WEAK = ("clave", "parola", "κωδικός", "κωδικος")
"""Ordinary words as well: "key" and "word"."""
_WRITTEN_PHRASES = (
    "mot de passe", "mots de passe", "palavra passe", "clave secreta", "clave acceso",
    "clave de acceso", "mật khẩu", "mat khau", "كلمة المرور", "كلمة السر", "رمز عبور",
)  # fmt: skip

ENDINGS = tuple({fold(word) for word in _WRITTEN})
"""Folded; a name that ends in one is that of a secret: `Datenbankpasswort`, `数据库密码`."""
WEAK = frozenset(fold(word) for word in _WRITTEN_WEAK)
PHRASES = tuple(tuple(fold(phrase).split()) for phrase in _WRITTEN_PHRASES)
SPACED = "|".join(phrase.replace(" ", "[ -]") for phrase in _WRITTEN_PHRASES)
"""A pattern of the names that are written with blanks."""
STEMS = tuple(
    {
        *_WRITTEN,
        *ENDINGS,
        *_WRITTEN_WEAK,
        *WEAK,
        *(max(p.split(), key=len) for p in _WRITTEN_PHRASES),
    }
)
_STATES = """erforderlich falsch ungültig abgelaufen fehlt vergessen obligatoria obligatorio
    incorrecta incorrecto requerida vencida caducada requis requise incorrecte expiré oublié
    obrigatória incorreta expirada verplicht onjuist vergeten wymagane nieprawidłowe povinné chybí
    obbligatoria mancante неверный неверен обязателен отсутствует 必填 错误 无效 为空 必須 필수"""
STATES = frozenset(fold(_STATES).split())
"""Folded: "required", "wrong", "expired"."""
